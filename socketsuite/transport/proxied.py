"""Accepted connections that begin with a proxy's header: PROXY protocol, 1 and 2.

On a port that expects a header nobody is served without one, and only named hosts may send
it: the protocol is never guessed.  (Where it is optional, HTTP's own headers may stand for it;
only named hosts may connect all the same.)  The header is read before anything else, and not a byte
more, so a TLS handshake may follow, on the socket or in a protocol.  From then on the
transport's peer is the real client, its host the address that the client connected to; only
then it is asked whether the client is admitted, and only then the port's factory makes a
protocol.

This module must not know which hosts are trusted, nor who is admitted, and why.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet import main
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocol, IProtocolFactory
from twisted.internet.protocol import Factory

from socketsuite.reasons import (
    BAD_PROXY_HEADER,
    DECLINED,
    PROXY_FROM,
    PROXY_HEADER_TIMEOUT,
    Reason,
)
from socketsuite.transport.options import PortOptions, ProxyOptions
from socketsuite.transport.tls import Unconnected
from socketsuite.wire.proxy import (
    MAX_HEADER,
    BadHeader,
    Endpoint,
    Header,
    HeaderFramer,
    may_begin,
)

_NO_HEADER = Header(0)


class ProxyHeaderFactory(Factory):
    """The factory of a port whose connections begin with a header.

    :param factory: the one behind it; it is asked once the real client is known, and given
        that address.  ``None`` from it ends the connection.
    """

    noisy = False

    def __init__(self, factory: IProtocolFactory) -> None:
        self._factory = factory

    def buildProtocol(self, addr: IAddress | None) -> _AwaitingHeader:
        """Return what stands where the protocol will be."""
        return _AwaitingHeader(self._factory)

    def doStart(self) -> None:
        """Start the factory behind."""
        self._factory.doStart()

    def doStop(self) -> None:
        """Stop the factory behind."""
        self._factory.doStop()


class _AwaitingHeader(Unconnected):
    def __init__(self, factory: IProtocolFactory) -> None:
        self.behind = factory

    def connectionMade(self) -> None:
        """Have the transport read its header."""
        transport: Any = self.transport
        transport.await_header()


class Proxied:
    """Mixed into an observed server, before it; the port's factory is a
    :class:`ProxyHeaderFactory`.

    :ivar header: the header, once it is complete.
    """

    header: Header | None = None
    why: Reason | None = None

    _proxy: ProxyOptions
    _framer: HeaderFramer | None = None
    _header_deadline: IDelayedCall | None = None

    # What the classes beside this one bring.
    if TYPE_CHECKING:
        abort: Callable[[Reason], None]
        abortConnection: Callable[[], None]
        burst: Any
        client: tuple[Any, ...]
        hostname: Any
        logstr: str
        protocol: Any
        reactor: Any
        options: PortOptions
        set_reader: Callable[[Callable[[int], Any]], None]
        sessionno: int
        socket: socket.socket
        _getLogPrefix: Callable[[Any], str]

    def await_header(self) -> None:
        """Await the header, if it may come from here."""
        assert self.options.proxy is not None
        self._proxy = self.options.proxy
        self._framer = HeaderFramer()
        if not self._proxy.trusted(getattr(self.getPeer(), "host", None)):
            self._refuse(PROXY_FROM)
            return
        self._header_deadline = self.reactor.callLater(
            self._proxy.header_seconds, self._header_late
        )

    def _connect(self, protocol: IProtocol) -> None:
        """Connect the service's *protocol*; each kind of transport has its way."""
        raise NotImplementedError

    # ── the header ──────────────────────────────────────────────────────────────────

    def _header_late(self) -> None:
        self._header_deadline = None
        self._refuse(PROXY_HEADER_TIMEOUT)

    def _refuse(self, reason: Reason) -> None:
        self._forget_header_deadline()
        self.abort(reason)

    def _forget_header_deadline(self) -> None:
        if self._header_deadline is not None:
            self._header_deadline.cancel()
            self._header_deadline = None

    def _take_header(self) -> Header | None:
        """Take what is there of the header, and nothing else; return it once it is complete.

        Part of a header is taken at once: left in the kernel, it would keep the connection
        ready to be read, turn after turn.

        :raises BlockingIOError: when nothing is there.
        :raises OSError: when the connection is lost.
        """
        assert self._framer is not None
        waiting = self.socket.recv(MAX_HEADER, socket.MSG_PEEK)
        try:
            if not waiting:
                raise BadHeader("closed before its end")
            if self._proxy.optional and not may_begin(self._framer.held + waiting):
                return self._without_header()
            return self._framer.feed(self.socket.recv(self._framer.belonging(waiting)))
        except BadHeader as error:
            self._refuse(BAD_PROXY_HEADER.because(str(error)))
            return None

    def _without_header(self) -> Header:
        """Return what stands for a header where there is none.

        :raises BadHeader: when what was taken already was no beginning of a TLS handshake.
        """
        assert self._framer is not None
        if self._framer.held and self.options.kind == "tls":
            raise BadHeader("neither a header nor TLS")
        return _NO_HEADER

    def _serve(self, header: Header) -> None:
        """Become the real client's connection, and begin as usual if it is admitted."""
        assert self._framer is not None
        early = self._framer.held if header is _NO_HEADER else b""
        self._forget_header_deadline()
        self.header = header
        if header.source is not None:
            self.client = header.source
            self.hostname = header.source[0]
        refusal = self._proxy.refusal(self)
        if refusal is not None:
            self._refuse(refusal)
            return
        protocol = self.protocol.behind.buildProtocol(self.getPeer())
        if protocol is None:
            self._refuse(DECLINED)
            return
        self._proxy.admit(self)
        self.logstr = f"{self._getLogPrefix(protocol)},{self.sessionno},{self.hostname}"
        self.protocol, self._framer = protocol, None
        self._connect(protocol)
        if early:
            protocol.dataReceived(early)

    # ── what differs from then on, or until then ────────────────────────────────────

    def getPeer(self) -> Any:
        """Return the real client's address, as far as it is known."""
        header = self.header
        if header is None or header.source is None:
            return super().getPeer()  # type: ignore[misc]
        return _address(header.source)

    def getHost(self) -> Any:
        """Return the address that the real client connected to, as far as it is known."""
        header = self.header
        if header is None or header.destination is None:
            return super().getHost()  # type: ignore[misc]
        return _address(header.destination)

    def loseConnection(self) -> None:
        """Close; before the header is complete there is nothing to be sent first."""
        if self._framer is not None:
            self.abortConnection()
        else:
            super().loseConnection()  # type: ignore[misc]

    def connectionLost(self, reason: Any) -> None:
        """The ordinary end, and the end of the deadline."""
        self._forget_header_deadline()
        super().connectionLost(reason)  # type: ignore[misc]


class ProxiedBurst(Proxied):
    """On the burst transport."""

    def begin(self) -> None:
        """Put off what the transport begins with, until the header is there."""
        self.protocol.makeConnection(self)

    def await_header(self) -> None:
        """Await the header, and read nothing else."""
        self.set_reader(self._read_header)
        super().await_header()

    def _read_header(self, _size: int) -> bytes:
        """Take what is there of the header, and begin when it is complete.

        :raises BlockingIOError: always, once it has done its work: what comes after the
            header is for whatever reads from then on, in the next burst.
        :raises OSError: when the connection is lost.
        """
        header = self._take_header()
        if header is not None:
            try:
                self._serve(header)
            except BaseException:  # whatever it is, it is not the socket's
                self.burst.fail(self)
        raise BlockingIOError

    def _connect(self, protocol: IProtocol) -> None:
        """Read the ordinary way, and begin."""
        self.set_reader(self.socket.recv)
        super().begin()  # type: ignore[misc]


class ProxiedStock(Proxied):
    """On Twisted's own transport, whose reactor logs what is raised, and ends the connection."""

    def doRead(self) -> Any:
        """Read the header; once it was there, what a connection reads."""
        if self._framer is None:
            return super().doRead()  # type: ignore[misc]
        try:
            header = self._take_header()
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        if header is not None:
            self._serve(header)
        return None

    def _connect(self, protocol: IProtocol) -> None:
        """Connect it; what came behind the header is read in the next turn."""
        transport: Any = self
        protocol.makeConnection(transport)


def _address(endpoint: Endpoint) -> IPv4Address | IPv6Address:
    family = IPv6Address if ":" in endpoint[0] else IPv4Address
    return family("TCP", *endpoint)
