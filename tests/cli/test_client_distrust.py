"""A client says nothing to a server who cannot prove itself, whatever is wrong with its proof."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from tests.cli.conftest import Client, Serve
from tests.cli.servers import goodbye
from tests.support.authorities import CLIENT, Identity, authority, certify, pem

ROOT = authority("Our Root")
SERVERS: dict[str, tuple[Identity, str]] = {
    "expired": (certify("localhost", ROOT, since=-9, until=-1), "its certificate has expired"),
    "not yet valid": (certify("localhost", ROOT, since=1), "its certificate is not valid yet"),
    "for another name": (certify("elsewhere", ROOT), "its certificate is not for localhost"),
    "for clients only": (
        certify("localhost", ROOT, purposes=[CLIENT]),
        "its certificate is not one for servers",
    ),
    "self-signed": (certify("localhost"), "its certificate is self-signed and not trusted here"),
    "of an unknown authority": (
        certify("localhost", authority("Their Root")),
        "its certificate is signed by nobody trusted here",
    ),
}


@pytest.mark.parametrize("kind", SERVERS)
def test_not_a_byte_of_the_input_goes_to_a_server_whose_certificate_is(
    client: Client, serve: Serve, tmp_path: Path, kind: str
) -> None:
    identity, because = SERVERS[kind]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.write(tmp_path / "server.pem"))
    cafile = tmp_path / "ca.pem"
    cafile.write_bytes(pem(ROOT.certificate))
    heard = []

    def listen(connection: socket.socket) -> None:
        heard.append(connection.recv(1 << 16))
        goodbye(connection)

    port = serve(listen, tls=context).port
    trust = ("--tls", "--cafile", cafile)
    done = client("connect", *trust, "localhost", port, input=b"not for everybody\n")
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.decode().startswith(f"No server at localhost {port}: TLS: {because}")
    assert done.stderr.count(b"\n") == 1
    assert heard == []
