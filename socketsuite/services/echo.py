"""Echo (RFC 862): every byte comes back, until the caller closes.

TCP: what was received before the caller's FIN is echoed before ours.  A caller that does
not read is not read from either.  With a prefix, it is put before each chunk received;
chunks are wherever the network cut the stream.

UDP: each datagram returns to its sender, behind the prefix if there is one.

This module must not know which ports it is served on, except to name one in a prefix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.error import MessageLengthError
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.internet.protocol import DatagramProtocol, Protocol, ServerFactory
from zope.interface import implementer

from socketsuite.services.datagrams import LARGEST, AnswerDatagram
from socketsuite.services.stream import IStreamTransport, greeting, with_port
from socketsuite.settings import setting


@implementer(IHalfCloseableProtocol)
class Echo(Protocol):
    """Sends back what it receives, at the pace of the one who reads it.

    :param banner: as in :class:`EchoFactory`.
    """

    transport: IStreamTransport

    def __init__(self, banner: str) -> None:
        self._banner = banner

    def connectionMade(self) -> None:
        """Couple reading to writing, and greet."""
        self.transport.registerProducer(self.transport, True)
        if type(self) is Echo:
            # What is received is what is written: nothing need stand between the two.
            self.dataReceived = self.transport.write  # type: ignore[method-assign]
        if self._banner:
            self.transport.write(greeting(self._banner, self.transport.getHost()))

    def dataReceived(self, data: bytes) -> None:
        """Send *data* back."""
        self.transport.write(data)

    def readConnectionLost(self) -> None:
        """The caller's FIN: send the rest, then ours."""
        # A transport with a producer would wait for more from it before it closes.
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Never happens by itself: we close both halves at once."""


class PrefixEcho(Echo):
    """Sends back each chunk behind a prefix.

    :param banner: as in :class:`EchoFactory`.
    :param prefix: as in :class:`EchoFactory`; not empty.
    """

    def __init__(self, banner: str, prefix: str) -> None:
        super().__init__(banner)
        self._text = prefix

    def connectionMade(self) -> None:
        """Fill in the port, now that it is known."""
        self._prefix = with_port(self._text, self.transport.getHost())
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """Send the prefix and *data* back."""
        self.transport.write(self._prefix + data)


class EchoDatagram(AnswerDatagram):
    """Sends each datagram back, behind a prefix if there is one.

    What does not fit the largest IPv4 datagram because of the prefix is cut off.

    :param prefix: as in :class:`EchoFactory`; may be empty.
    """

    def __init__(self, prefix: str) -> None:
        super().__init__(self._echo)
        self._text = prefix
        self._prefix = b""

    def startProtocol(self) -> None:
        """Fill in the port, now that it is known."""
        self._prefix = with_port(self._text, self.transport.getHost())

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Send one datagram back; the plain one is its own answer."""
        if self._prefix:
            super().datagramReceived(datagram, addr)
            return
        try:
            self.transport.write(datagram, addr)
        except (OSError, MessageLengthError):
            pass

    def _echo(self, datagram: bytes) -> bytes:
        return (self._prefix + datagram)[:LARGEST]


@dataclass(eq=False)
class EchoFactory(ServerFactory):
    """Makes echoes, for TCP and UDP."""

    banner: str = setting("", "a line every TCP caller is greeted with; {port} is the port")
    prefix: str = setting("", "text put before each chunk that comes back; {port} is the port")

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return an echo for one caller; the plain one has nothing to decide per message."""
        if self.prefix:
            return PrefixEcho(self.banner, self.prefix)
        return Echo(self.banner)

    def buildDatagramProtocol(self) -> DatagramProtocol:
        """Return the echo for a UDP port."""
        return EchoDatagram(self.prefix)
