"""What a service may ask of the stream under it, and the courtesies all services share.

This module must not know any particular service.
"""

from __future__ import annotations

from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

LINGER = 2.0
"""Seconds a peer has for its FIN after our last word."""


class IStreamTransport(ITCPTransport, IConsumer, IPushProducer):
    """The stream under a service: TCP, a Unix socket, or TLS over either.

    It consumes what is written, and produces what is received: pausing it pauses reading.
    """


def with_port(text: str, host: IAddress) -> bytes:
    """Return *text* as UTF-8, ``{port}`` replaced by the port the caller came in by.

    A Unix socket has no port; its path stands for it.
    """
    port = getattr(host, "port", None)
    if port is None:
        name = getattr(host, "name", None) or b""
        port = name.decode("utf-8", "surrogateescape")
    # Not str.format: a person's text may contain braces.  The escapes are there because
    # the command line and the path may hold bytes that are not UTF-8; they go as typed.
    return text.replace("{port}", str(port)).encode("utf-8", "surrogateescape")


def greeting(banner: str, host: IAddress) -> bytes:
    """Return what a line service says to a new caller: *banner* and an end of line.

    Empty when there is no banner; see :func:`with_port` for ``{port}``.
    """
    if not banner:
        return b""
    return with_port(banner if banner.endswith("\n") else banner + "\n", host)


@implementer(IHalfCloseableProtocol)
class LingeringClose(Protocol):
    """A protocol that can make sure its last words arrive.

    Closing a TCP socket that holds unread bytes makes the kernel send RST, which destroys
    words still on their way.  So: say them, send FIN (on TLS, its close alert), and go on
    reading and discarding until the caller's FIN, or for :data:`LINGER` seconds.

    :param reactor: the clock for that wait.
    """

    transport: IStreamTransport
    closing = False
    """Whether the last words have been said; what is received now is to be discarded."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._timer: IDelayedCall | None = None

    def close_with(self, words: bytes) -> None:
        """Say *words* and leave; to be called once."""
        self.closing = True
        self.transport.write(words)
        self.transport.loseWriteConnection()
        self._timer = self._reactor.callLater(LINGER, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        self.transport.abortConnection()

    def readConnectionLost(self) -> None:
        """The caller's FIN: flush what is queued and close."""
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our own FIN is out; nothing to do."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
