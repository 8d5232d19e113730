"""Why a socket, or the session that carries it, has ended.

The words are those that Socket.IO's own server gives its ``disconnect`` event.
"""

from __future__ import annotations

from enum import StrEnum


class DisconnectReason(StrEnum):
    """Given to the handlers of ``disconnect``."""

    CLIENT_NAMESPACE_DISCONNECT = "client namespace disconnect"
    """The client called ``socket.disconnect()``."""
    SERVER_NAMESPACE_DISCONNECT = "server namespace disconnect"
    """The server called :meth:`Socket.disconnect`."""
    TRANSPORT_CLOSE = "transport close"
    """The connection is gone: a page was left, a process ended, a network failed."""
    TRANSPORT_ERROR = "transport error"
    """A poll was cut off, or the connection broke WebSocket's rules."""
    PING_TIMEOUT = "ping timeout"
    """The client answered no ping in time."""
    PARSE_ERROR = "parse error"
    """The client sent what is no packet, or none that may come now."""
    LIMIT_EXCEEDED = "limit exceeded"
    """The client sent more, or took less, than :class:`Options` allow."""
    FORCED_SERVER_CLOSE = "forced server close"
    """The server ended the whole session."""
    SERVER_SHUTTING_DOWN = "server shutting down"
    """:meth:`Server.close` was called."""

    @property
    def recoverable(self) -> bool:
        """Whether the client may come back to the state that it left."""
        return self not in _FINAL


_FINAL = {
    DisconnectReason.CLIENT_NAMESPACE_DISCONNECT,
    DisconnectReason.SERVER_NAMESPACE_DISCONNECT,
    DisconnectReason.PARSE_ERROR,
}
