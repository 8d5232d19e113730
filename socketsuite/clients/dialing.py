"""From a :class:`~socketsuite.clients.options.Target` to a connection that may be used.

This module must not know what is said over the connection, nor how a failure is shown.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    ConnectionDone,
    ConnectionLost,
    DNSLookupError,
    TCPTimedOutError,
    TimeoutError,
)
from twisted.internet.interfaces import IHandshakeListener, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from socketsuite.clients.failed import Failed, os_cause
from socketsuite.clients.options import Target
from socketsuite.clients.tls import ClientTLS

# RFC 8305 wants 100 ms or more between two addresses of one name; Twisted would take 300,
# which every user of an IPv4-only server on "localhost" would wait for.
_NEXT_ADDRESS_AFTER = 0.1


class NoServer(Failed):
    """There is no such server, or it could not be understood, or it went away.

    :ivar cause: why, in plain words.
    :ivar timed_out: whether nothing answered at all.
    """

    def __init__(self, target: Target, cause: str, *, timed_out: bool = False) -> None:
        super().__init__(f"No server at {target}: {cause}")
        self.cause = cause
        self.timed_out = timed_out


@implementer(IHandshakeListener)
class StreamClient(Protocol):
    """Our end of one connection; :func:`dial` connects it.

    :ivar ready: fires when it may be used, over TLS after the handshake; fails when the
        connection is lost before that.
    :ivar gone: fires when a connection that was ready has ended, with the reason: a
        ``ConnectionDone`` for a clean end, anything else for a loss.
    """

    transport: Any

    def __init__(self, tls: ClientTLS | None = None) -> None:
        self.tls = tls
        self.ready: Deferred[None] = Deferred()
        self.gone: Deferred[BaseException] = Deferred()

    def connectionMade(self) -> None:
        """Be ready at once, unless there is a handshake to wait for."""
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        if self.tls is None:
            self.ready.callback(None)

    def handshakeCompleted(self) -> None:
        """Be ready: the server is who it should be."""
        self.ready.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell whoever waits."""
        if not self.ready.called:
            self.ready.errback(reason)
        else:
            assert reason.value is not None
            self.gone.callback(reason.value)


class _Once(Factory):
    noisy = False

    def __init__(self, protocol: StreamClient) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: Any) -> StreamClient:
        return self._protocol


async def dial(reactor: Any, target: Target, protocol: StreamClient) -> None:
    """Connect *protocol*; return when it is ready, over TLS when the server is verified.

    A name with several addresses is tried at all of them, IPv6 and IPv4.

    :raises NoServer: with the cause; after ``target.timeout`` seconds at the latest.
    :raises Failed: when a file of ``target.tls`` cannot be used.
    """
    factory: Any = _Once(protocol)
    if target.tls is not None:
        protocol.tls = ClientTLS(target.tls)
        factory = protocol.tls.wrap(factory, reactor)
    attempt: Deferred[None] = _endpoint(reactor, target).connect(factory)
    attempt.addCallback(lambda _: protocol.ready)
    patience = reactor.callLater(target.timeout, attempt.cancel)
    try:
        await attempt
    except Exception as error:  # noqa: BLE001 - every way not to connect ends in NoServer
        if protocol.transport is not None:
            protocol.transport.abortConnection()
        timed_out = not patience.active() or isinstance(error, (TimeoutError, TCPTimedOutError))
        if timed_out:
            raise NoServer(target, _no_answer(target), timed_out=True) from None
        raise NoServer(target, cause_text(error, protocol)) from None
    finally:
        if patience.active():
            patience.cancel()


def _endpoint(reactor: Any, target: Target) -> Any:
    if target.unix is not None:
        return UNIXClientEndpoint(reactor, target.unix, target.timeout)
    return HostnameEndpoint(
        reactor, target.host, target.port, target.timeout, attemptDelay=_NEXT_ADDRESS_AFTER
    )


def _no_answer(target: Target) -> str:
    return f"no answer within {target.timeout:g} s"


def check_end(target: Target, protocol: StreamClient, reason: BaseException) -> None:
    """Return if *reason* (what ``protocol.gone`` fired with) is a clean end.

    :raises NoServer: if the connection was lost.
    """
    if not isinstance(reason, ConnectionDone):
        raise NoServer(target, cause_text(reason, protocol))


def cause_text(error: BaseException, protocol: StreamClient) -> str:
    """Return why a connection could not be made, or was lost, in plain words."""
    of_tls = protocol.tls.cause(error) if protocol.tls is not None else None
    if of_tls is not None:
        return of_tls
    if isinstance(error, DNSLookupError):
        return "unknown host"
    if isinstance(error, (CancelledError, ConnectingCancelledError)):
        return "cancelled"
    if isinstance(error, ConnectError) and error.osError:
        return os_cause(OSError(error.osError, ""))
    if isinstance(error, ConnectionLost) and protocol.tls is not None:
        return "the connection was lost without TLS's goodbye; what came may be cut short"
    if isinstance(error, ConnectionDone):
        return "it closed the connection"
    if isinstance(error, ConnectionClosed):
        return "connection lost"
    if isinstance(error, (ValueError, UnicodeError)):
        return "not a host name"
    return os_cause(error) if isinstance(error, OSError) else str(error)
