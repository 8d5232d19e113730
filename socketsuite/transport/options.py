"""What the accepted connections of one port have in common, and who is told of them.

Twisted hands each accepted transport its port; the options are that port's attribute
``options``.  This module must not know of any transport class, nor import OpenSSL.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.python.failure import Failure

from socketsuite.reasons import Reason


class Connection(Protocol):
    """What an observer may ask of a transport; all of it costs nothing until it is asked.

    ``bytes_in`` and ``bytes_out`` count what went over the socket, ``queued`` is what the
    peer has not taken yet, in bytes.  ``why`` is the reason that somebody other than the
    peer gave for the end; :meth:`close` and :meth:`abort` take one.
    """

    options: PortOptions
    bytes_in: int
    bytes_out: int
    why: Reason | None
    peer_finished: bool
    disconnecting: Any
    protocol: Any
    producer: Any

    @property
    def queued(self) -> int: ...  # noqa: D102
    def getPeer(self) -> Any: ...  # noqa: D102
    def getHost(self) -> Any: ...  # noqa: D102
    def close(self, reason: Reason) -> None: ...  # noqa: D102
    def abort(self, reason: Reason) -> None: ...  # noqa: D102


class ConnectionObserver(Protocol):
    """Whoever is told of every accepted connection, once when it opens and once at its end.

    *backpressured* is called whenever a peer has left bytes in the queue, and more are written;
    *exhausted* when a caller cannot be accepted for want of descriptors; *busy* to learn
    whether the service is at work on an answer (``None``: it cannot be known), and
    *half_close_seconds* how long it has for one when that cannot be known.
    """

    def opened(self, transport: Connection) -> None: ...  # noqa: D102
    def closed(self, transport: Connection, reason: Failure) -> None: ...  # noqa: D102
    def received(self, transport: Connection, data: bytes) -> None: ...  # noqa: D102
    def backpressured(self, transport: Connection) -> None: ...  # noqa: D102
    def exhausted(self, options: PortOptions, error: OSError) -> None: ...  # noqa: D102
    def busy(self, transport: Connection) -> bool | None: ...  # noqa: D102
    def half_close_seconds(self) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class TLSOptions:
    """TLS on a port, as it is for the next connection.

    :param new_context: returns the context (``OpenSSL.SSL.Context``) for it; a changed
        certificate needs no more than another context.
    :param handshake_seconds: returns how long its peer has for its handshake.
    """

    new_context: Callable[[], Any]
    handshake_seconds: Callable[[], float] = lambda: 10.0


@dataclass(frozen=True)
class ProxyOptions:
    """Connections begin with a PROXY header.

    :param trusted: whether the host at the other end of the socket may send a header; given
        the host as the kernel names it, so perhaps ``::ffff:192.0.2.1`` or ``fe80::1%eth0``,
        and ``None`` on a Unix socket.
    :param refusal: given the transport when its peer is the real client: ``None`` to serve
        it, or the reason to close it with.
    :param admit: given the transport when there is a protocol for it, before that is connected.
    :param header_seconds: how long a peer has for its header.
    :param optional: a connection that begins with something else is its own peer's; the first
        bytes tell, for no HTTP and no TLS begins as a header does.
    """

    trusted: Callable[[str | None], bool]
    refusal: Callable[[Any], Reason | None]
    admit: Callable[[Any], None]
    header_seconds: float = 5.0
    optional: bool = False


@dataclass(eq=False)
class PortOptions:
    """What the connections of one port have in common.

    :param observer: who is told of them; without one nothing is counted or bounded.
    :param kind: what these connections are called: ``tcp``, ``tls``, ``unix``.
    :param send_queue: bytes that a peer may have left unread when more is written to it in
        another turn of the reactor; with one more than that it is dropped.
    :param log_data: whether the observer is told of every chunk received, which costs.
    :param prepare: what each accepted socket is given first, where the listening socket did not
        hand its options on to all of them.
    :param tls: TLS straight on the socket; for the burst transport.
    :param proxy: a PROXY header before anything else.
    :param frontend: the name of the service's frontend that the port belongs to.
    :param pure: whether the burst is the one in Python, where there is a compiled one too.
    :ivar burst: the burst that the connections belong to, on the burst transport.
    :ivar turns: tells the turns of the port's reactor apart.
    """

    observer: ConnectionObserver | None = None
    kind: str = "tcp"
    send_queue: int = 0
    log_data: bool = False
    prepare: Callable[[socket.socket], object] | None = None
    tls: TLSOptions | None = None
    proxy: ProxyOptions | None = None
    frontend: str = ""
    pure: bool = False
    burst: Any = None
    turns: Any = None
