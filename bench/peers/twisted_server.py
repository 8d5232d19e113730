"""The same services in plain Twisted: a Protocol each, and reactor.listenTCP.

::

    python twisted_server.py SERVICE [--cert FILE --key FILE] [--file FILE]

Prints ``listening PORT``.  This is how a good programmer writes them without the suite, so
it must not import the suite.
"""

from __future__ import annotations

import argparse
import os
import struct
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet import ssl
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import DatagramProtocol, Protocol, ServerFactory, connectionDone
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

reactor: Any = installed_reactor


class Plain(Protocol):
    transport: Any
    factory: Any

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)


class Echo(Plain):
    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


class EchoDatagrams(DatagramProtocol):
    transport: Any

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.transport.write(datagram, addr)


class Chat(Plain):
    tail = b""

    def connectionMade(self) -> None:
        super().connectionMade()
        self.factory.members.add(self)

    def dataReceived(self, data: bytes) -> None:
        *lines, self.tail = (self.tail + data).split(b"\n")
        if lines:
            heard = b"-> " + b"\n-> ".join(lines) + b"\n"
            for member in self.factory.members:
                if member is not self:
                    member.transport.write(heard)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.members.discard(self)


class Accumulator(Plain):
    tail = b""

    def connectionMade(self) -> None:
        self.pushing = LoopingCall(self.push)
        self.pushing.start(3.0, now=False)

    def dataReceived(self, data: bytes) -> None:
        data = self.tail + data
        count = len(data) // 4
        self.factory.total += sum(struct.unpack_from(f"<{count}i", data))
        self.tail = data[count * 4 :]

    def push(self) -> None:
        self.transport.write(struct.pack("<I", self.factory.total & 0xFFFFFFFF))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.pushing.stop()


class FileSink(Plain):
    def dataReceived(self, data: bytes) -> None:
        os.write(self.factory.file, data)


class Factory(ServerFactory):
    noisy = False

    def __init__(self, protocol: type[Plain], path: str | None) -> None:
        self.made = protocol
        self.members: set[Chat] = set()
        self.total = 0
        if path:
            self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        protocol = self.made()
        protocol.factory = self
        return protocol


PROTOCOLS: dict[str, type[Plain]] = {
    "tcp-echo": Echo,
    "tls-echo": Echo,
    "chat": Chat,
    "accumulator": Accumulator,
    "filesink": FileSink,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("service")
    for name in ("--cert", "--key", "--file"):
        parser.add_argument(name)
    options = parser.parse_args()
    if options.service == "udp-echo":
        port = reactor.listenUDP(0, EchoDatagrams(), interface="127.0.0.1")
    elif options.service == "tls-echo":
        context = ssl.DefaultOpenSSLContextFactory(options.key, options.cert)
        factory = Factory(PROTOCOLS[options.service], None)
        port = reactor.listenSSL(0, factory, context, backlog=511, interface="127.0.0.1")
    else:
        factory = Factory(PROTOCOLS[options.service], options.file)
        port = reactor.listenTCP(0, factory, backlog=511, interface="127.0.0.1")
    print(f"listening {port.getHost().port}", flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
