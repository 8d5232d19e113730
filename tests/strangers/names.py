"""twisted.names: DNS over UDP, TCP and TLS, asked by dig."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Generator, Iterator

from tests.strangers.subject import SECONDS, Listener, Stranger

SOURCE = """
from twisted.internet.task import deferLater
from twisted.names import dns
from twisted.names.error import DomainError
from twisted.names.server import DNSServerFactory


class Resolver:
    def __init__(self, reactor):
        self.reactor = reactor

    def query(self, query, timeout=None):
        name = query.name.name.decode()
        if name == "late.example.org":
            return deferLater(self.reactor, 1, self.answer, "late")
        return deferLater(self.reactor, 0, self.answer, name)

    def answer(self, name):
        if name == "none.example.org":
            raise DomainError(name)
        if name == "large.example.org":
            texts = [b"t" * 200 + b"%05d" % number for number in range(250)]
        else:
            texts = [name.encode()]
        return [dns.RRHeader(name, dns.TXT, payload=dns.Record_TXT(one)) for one in texts], [], []


class factory(DNSServerFactory):
    udp_source_ports = "any"

    def __init__(self, reactor):
        super().__init__(clients=[Resolver(reactor)])

    def buildDatagramProtocol(self):
        return dns.DNSDatagramProtocol(self)
"""
LARGE = [f'"{"t" * 200}{number:05}"' for number in range(250)]


def command(port: int, name: str, *more: str) -> list[str]:
    words = ["@127.0.0.1", "-p", str(port), "+short", "+tries=1", f"+timeout={int(SECONDS)}"]
    return ["dig", *words, *more, "TXT", f"{name}.example.org"]


def asked(port: int, name: str, *more: str) -> list[str]:
    done = subprocess.run(command(port, name, *more), capture_output=True, timeout=SECONDS)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout.decode().splitlines()


def words(where: Listener) -> tuple[str, ...]:
    if where.kind == "tls":
        return ("+tls", f"+tls-ca={where.authority}", "+tls-hostname=127.0.0.1")
    return ("+tcp",)


@contextlib.contextmanager
def port_of(where: Listener) -> Iterator[int]:
    """Return the port that dig can be sent to: it speaks TLS itself."""
    if where.kind == "tls":
        yield where.port
    else:
        with where.as_tcp() as port:
            yield port


def talk(where: Listener) -> None:
    with port_of(where) as port:
        one_way(port, *words(where))
    if where.kind == "tcp":
        assert asked(where.datagrams, "some") == ['"some.example.org"']
        # Too large for a datagram: dig asks again by TCP, and by the same port.
        assert asked(where.datagrams, "large") == LARGE


def one_way(port: int, *more: str) -> None:
    assert asked(port, "some", *more) == ['"some.example.org"']
    assert asked(port, "large", *more) == LARGE
    assert asked(port, "none", *more) == []


def transfer(where: Listener) -> Generator[None]:
    with port_of(where) as port:
        pipe = subprocess.PIPE
        with subprocess.Popen(command(port, "late", *words(where)), stdout=pipe) as dig:
            try:
                yield
                said, _ = dig.communicate(timeout=SECONDS)
                assert said == b'"late"\n'
            finally:
                dig.kill()


DNS = Stranger(
    "dns",
    "`twisted.names.server.DNSServerFactory`, UDP by `buildDatagramProtocol`",
    "dig (UDP, TCP, TLS)",
    SOURCE,
    talk,
    transfer,
    "a query whose answer is late",
    note="and UDP on the same port",
    programs=("dig",),
)
