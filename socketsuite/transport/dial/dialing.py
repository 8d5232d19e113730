"""From a :class:`~socketsuite.cli.options.Target` to a connection that may be used.

This module must not know what is said over the connection, nor how a failure is shown.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionClosed, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from socketsuite.addresses import address_text
from socketsuite.transport.dial.client_tls import ClientTLS
from socketsuite.transport.dial.connecting import Address, connect, is_ours, resolve
from socketsuite.transport.dial.failed import Code, Failed, os_cause, os_code
from socketsuite.transport.dial.target import Target


class NoServer(Failed):
    """There is no such server, or it could not be understood, or it went away.

    :ivar cause: why, in plain words.
    :ivar timed_out: whether nothing answered at all.
    """

    def __init__(self, target: Target, cause: str, code: Code) -> None:
        super().__init__(f"No server at {target}: {cause}", code)
        self.cause = cause
        self.timed_out = code == "timeout"


@implementer(IHandshakeListener)
class StreamClient(Protocol):
    """Our end of one connection; :func:`dial` connects it.

    :ivar ready: fires when it may be used, over TLS after the handshake; fails when the
        connection is lost before that.
    :ivar was_ready: whether it was ready ever.
    :ivar gone: fires when a connection that was ready has ended, with the reason: a
        ``ConnectionDone`` for a clean end, anything else for a loss.
    """

    transport: Any = None
    tls: ClientTLS | None = None

    def __init__(self) -> None:
        self.was_ready = False
        self.ready: Deferred[None] = Deferred()
        self.gone: Deferred[BaseException] = Deferred()

    def connectionMade(self) -> None:
        """Be ready at once, unless there is a handshake to wait for."""
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        if self.tls is None:
            self.handshakeCompleted()

    def handshakeCompleted(self) -> None:
        """Be ready: the server is who it should be."""
        self.was_ready = True
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


async def dial(
    reactor: Any,
    target: Target,
    protocol: StreamClient,
    addresses: list[Address] | None = None,
) -> str:
    """Connect *protocol*; return its peer when it is ready, over TLS when that is verified.

    A name with several addresses is tried at all of them, IPv6 and IPv4.

    :param addresses: where the target is, if that is known already.
    :raises NoServer: with the cause; after ``target.timeout`` seconds at the latest.
    :raises Failed: when a file of ``target.tls`` cannot be used, or the system refuses.
    """
    factory: Any = _Once(protocol)
    if target.tls is not None:
        protocol.tls = ClientTLS(target.tls)
        factory = protocol.tls.wrap(factory, reactor)
    attempt = Deferred.fromCoroutine(_connected(reactor, target, factory, protocol, addresses))
    deadline = reactor.callLater(target.timeout, attempt.cancel)
    try:
        await attempt
    except Exception as error:
        if protocol.transport is not None:
            protocol.transport.abortConnection()
        if not deadline.active():
            raise NoServer(target, f"no answer within {target.timeout:g} s", "timeout") from None
        if isinstance(error, OSError) and is_ours(error):
            raise Failed(f"Cannot connect: {os_cause(error)}", os_code(error)) from None
        if isinstance(error, CancelledError):
            raise
        raise NoServer(target, *cause_of(error, protocol)) from None
    finally:
        if deadline.active():
            deadline.cancel()
    return address_text(protocol.transport.getPeer())


async def _connected(
    reactor: Any,
    target: Target,
    factory: Factory,
    protocol: StreamClient,
    addresses: list[Address] | None,
) -> None:
    where = addresses or await find(reactor, target)
    if target.unix is None:
        where = [one.at(target.port) for one in where]
    with await connect(reactor, where) as connected:
        family = connected.family
        reactor.adoptStreamConnection(connected.fileno(), family, factory)
    await protocol.ready


async def find(reactor: Any, target: Target) -> list[Address]:
    """Return where *target* may be, without its port.

    :raises Failed: when there is no such host.
    """
    if target.unix is not None:
        return [Address(socket.AF_UNIX, target.unix)]
    return await resolve(reactor, target.host)


def check_end(target: Target, protocol: StreamClient, reason: BaseException) -> None:
    """Return if *reason* (what ``protocol.gone`` fired with) is a clean end.

    :raises NoServer: if the connection was lost.
    """
    if not isinstance(reason, ConnectionDone):
        raise NoServer(target, *cause_of(reason, protocol))


def cause_of(error: BaseException, protocol: StreamClient) -> tuple[str, Code]:
    """Return why a connection could not be made, or was lost: in plain words, and as a code."""
    of_tls = protocol.tls.cause(error) if protocol.tls is not None else None
    if of_tls is not None:
        return of_tls
    if isinstance(error, Failed):
        return str(error), error.code
    if isinstance(error, ConnectionClosed) and protocol.tls is not None:
        if not protocol.was_ready:
            return "TLS: it closed the connection during the handshake", "tls"
        if isinstance(error, ConnectionLost):
            text = "the connection was lost without TLS's goodbye; what came may be cut short"
            return text, "lost"
    if isinstance(error, ConnectionDone):
        return "it closed the connection", "closed"
    if isinstance(error, ConnectionClosed):
        return "connection lost", "lost"
    if isinstance(error, OSError):
        return os_cause(error), os_code(error)
    return str(error), "system"
