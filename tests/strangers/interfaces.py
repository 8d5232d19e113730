"""Interfaces that a transport serves: passed descriptors, the end of a handshake, ALPN."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator

from socketsuite.testing import read_all, read_line
from tests.strangers.subject import Listener, Stranger
from tests.strangers.taking import ran

DESCRIPTOR_SOURCE = """
import os

from twisted.internet.interfaces import IFileDescriptorReceiver
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer


@implementer(IFileDescriptorReceiver)
class Passed(Protocol):
    def fileDescriptorReceived(self, descriptor):
        os.write(descriptor, b"by way of your own descriptor")
        os.close(descriptor)

    def dataReceived(self, data):
        descriptor = os.open("content/small.txt", os.O_RDONLY)
        self.transport.sendFileDescriptor(descriptor)
        self.transport.write(data)
        self.transport.loseConnection()


def factory():
    return Factory.forProtocol(Passed)
"""
HANDSHAKE_SOURCE = """
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer


@implementer(IHandshakeListener)
class Shaken(Protocol):
    def connectionMade(self):
        self.transport.write(b"connected\\n")

    def handshakeCompleted(self):
        self.transport.write(b"shaken\\n")

    def dataReceived(self, data):
        self.transport.write(data)


def factory():
    return Factory.forProtocol(Shaken)
"""
NEGOTIATED_SOURCE = """
from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer


class OwnEvent(Protocol):
    def dataReceived(self, data):
        self.transport.write((self.transport.negotiatedProtocol or b"none") + b"\\n")


@implementer(IProtocolNegotiationFactory)
class Negotiating(Factory):
    protocol = OwnEvent

    def acceptableProtocols(self):
        return [b"acme/2", b"acme/1"]


def factory():
    return Negotiating()
"""


def descriptors_talk(where: Listener) -> None:
    ours, theirs = os.pipe()
    with where.dial() as one, os.fdopen(ours, "rb") as reader:
        socket.send_fds(one, [b"take this"], [theirs])
        os.close(theirs)
        assert reader.read() == b"by way of your own descriptor"
        # Twisted sends one byte along with a descriptor, and the rest after it.
        data, received, _, _ = socket.recv_fds(one, 1, 2)
        with os.fdopen(received[0], "rb") as file:
            assert file.read() == b"a small file\n"
        assert data + read_all(one) == b"take this"


def shaken(where: Listener) -> socket.socket:
    made = where.dial()
    assert read_line(made) + read_line(made) == b"connected\nshaken\n"
    return made


def handshake_talk(where: Listener) -> None:
    shaken(where).close()


def handshake_transfer(where: Listener) -> Generator[None]:
    with shaken(where) as one:
        one.sendall(b"hello\n")
        assert read_line(one) == b"hello\n"
        yield
        one.sendall(b"still here\n")
        assert read_line(one) == b"still here\n"


def negotiation_talk(where: Listener) -> None:
    for offered, chosen in {
        ("acme/1", "acme/2"): b"acme/2",
        ("h2", "acme/1"): b"acme/1",
        ("h2",): b"none",
        (): b"none",
    }.items():
        with where.dial(*offered) as one:
            one.sendall(b"?")
            assert read_line(one) == chosen + b"\n"
    common = ("openssl", "s_client", "-connect", f"127.0.0.1:{where.port}")
    said = ran(*common, "-CAfile", where.authority, "-alpn", "acme/1", text=b"?\n")
    assert b"ALPN protocol: acme/1" in said


NO_HANDSHAKE = dict.fromkeys(("tcp", "unix", "proxy"), "there is no handshake")
UNIX_ALONE = dict.fromkeys(("tcp", "tls", "proxy"), "descriptors are passed by Unix sockets alone")
DESCRIPTORS = Stranger(
    "descriptors",
    "a protocol with `IFileDescriptorReceiver`",
    "socket.send_fds, recv_fds",
    DESCRIPTOR_SOURCE,
    descriptors_talk,
    absent=UNIX_ALONE,
)
HANDSHAKE = Stranger(
    "handshake",
    "a protocol with `IHandshakeListener`",
    "ssl",
    HANDSHAKE_SOURCE,
    handshake_talk,
    handshake_transfer,
    "a conversation",
    absent=NO_HANDSHAKE,
)
NEGOTIATED = Stranger(
    "negotiated",
    "a factory with `IProtocolNegotiationFactory` (ALPN)",
    "ssl, openssl s_client",
    NEGOTIATED_SOURCE,
    negotiation_talk,
    absent=NO_HANDSHAKE,
    programs=("openssl",),
)
