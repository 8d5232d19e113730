"""ALPN (RFC 7301): a stranger's factory that names its protocols, as Twisted's own web does."""

from __future__ import annotations

import os
import signal
import ssl
from pathlib import Path

import pytest
import trustme

from socketsuite.testing import read_all
from tests.daemons.conftest import Start

LINGUIST = """
from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

class Linguist(Protocol):
    def connectionMade(self):
        self.transport.write(self.transport.negotiatedProtocol or b"nothing")
        self.transport.loseConnection()

@implementer(IProtocolNegotiationFactory)
class LinguistFactory(Factory):
    protocol = Linguist
    def acceptableProtocols(self):
        return [b"acme/2", b"acme/1"]
"""
PLUGIN = """
from socketsuite.plugin import ServicePlugin
linguist = ServicePlugin(
    "acme-linguist", "acme_linguist:LinguistFactory", port=4998, description="Linguist"
)
"""


@pytest.mark.parametrize("transport", ["burst", "twisted"])
def test_the_first_of_the_factorys_protocols_that_the_client_offers_too_is_chosen(
    launch: Start, tmp_path: Path, transport: str
) -> None:
    plugins = tmp_path / "path" / "twisted" / "plugins"
    plugins.mkdir(parents=True)
    (tmp_path / "path" / "acme_linguist.py").write_text(LINGUIST)
    (plugins / "acme_linguist_plugin.py").write_text(PLUGIN)
    authority, chain = trustme.CA(), tmp_path / "chain.pem"
    issued = authority.issue_cert("localhost").private_key_and_cert_chain_pem
    issued.write_to_path(str(chain))
    path = f"{plugins.parents[1]}:{os.environ.get('PYTHONPATH', '')}"
    arguments = ("--port", "0", "--transport", transport, "--tls-cert", str(chain))
    daemon = launch("acme-linguist", *arguments, env={"PYTHONPATH": path}).wait_until_ready()

    def chosen(*offered: str) -> bytes:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        if offered:
            context.set_alpn_protocols(list(offered))
        plain = daemon.connect(port=daemon.port("tls"))
        with context.wrap_socket(plain, server_hostname="localhost") as caller:
            said = read_all(caller)
            assert said == (caller.selected_alpn_protocol() or "nothing").encode()
            return said

    def is_as_it_should_be() -> None:
        assert chosen("acme/1", "acme/2", "h2") == b"acme/2"
        assert chosen("h2", "acme/1") == b"acme/1"
        assert chosen("h2") == chosen() == b"nothing"

    is_as_it_should_be()
    daemon.send_signal(signal.SIGHUP)
    daemon.wait_for_line("socketsuite reloaded")
    is_as_it_should_be()
    assert daemon.stop() == 0
