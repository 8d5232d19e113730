"""What a daemon may ask of a service's protocol: whether it is at work, and to finish.

A protocol offers ``drain()`` for the second.  The channels of ``twisted.web`` have no such
method; what it would do is here.  This module must not know of transports, nor of limits.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

# Where wrappers keep what they wrap: twisted.protocols.policies, twisted.web.http.
_INNER = ("wrappedProtocol", "_wrappedProtocol", "_channel")
_MOST_WRAPPERS = 16
# HTTP/2: the largest number of a stream, and how long a request may have been under way.
_LAST_STREAM = (1 << 31) - 1
_UNDER_WAY_SECONDS = 0.5


def drain_of(protocol: Any) -> Callable[[], object] | None:
    """Return what asks *protocol* to finish and close, or ``None`` if nothing does.

    That is the ``drain`` of the outermost layer that has one, or what stands for it where a
    layer is an HTTP channel: an idle connection is closed, and one with a request is closed
    after its response, which says so (``Connection: close``, GOAWAY).
    """
    for layer in _layers(protocol):
        found = getattr(layer, "drain", None)
        if callable(found):
            return found  # type: ignore[no-any-return]
        if _is_http1(layer):
            return lambda layer=layer: _drain_http1(layer)  # type: ignore[misc]
        if _is_http2(layer):
            return lambda layer=layer: _drain_http2(layer)  # type: ignore[misc]
    return None


def is_busy(protocol: Any) -> bool | None:
    """Return whether *protocol* has a request to answer; ``None`` if that cannot be known."""
    for layer in _layers(protocol):
        if _is_http1(layer):
            return bool(layer.requests)
        if _is_http2(layer):
            return bool(layer.streams)
    return None


def is_unfinished(protocol: Any) -> bool:
    """Return whether *protocol* says of itself that it has yet to do what its peer asked."""
    found = getattr(innermost(protocol), "unfinished", None)
    return callable(found) and found() is True


def innermost(protocol: Any) -> Any:
    """Return the service's own protocol, whatever wraps it.

    ``None`` while one of ours stands in for it, until a handshake is done or a header has come.
    """
    found = _layers(protocol)[-1]
    return None if getattr(found, "stands_in", False) is True else found


def _layers(protocol: Any) -> list[Any]:
    """Return *protocol* and what it wraps, the outermost first."""
    layers = [protocol]
    while len(layers) < _MOST_WRAPPERS:
        inner = [getattr(layers[-1], "__dict__", {}).get(name) for name in _INNER]
        found = next((each for each in inner if each is not None), None)
        if found is None:
            break
        layers.append(found)
    return layers


def _is_http1(layer: Any) -> bool:
    # Not imported for this: a service that serves no HTTP has not loaded it.
    http = sys.modules.get("twisted.web.http")
    # One that was upgraded to a WebSocket is no HTTP any more: its bytes go elsewhere.
    return http is not None and isinstance(layer, http.HTTPChannel) and not _is_upgraded(layer)


def _is_upgraded(channel: Any) -> bool:
    receive = vars(channel).get("dataReceived")
    # A channel that drains takes no more either, by a function that is nobody's method.
    return receive is not None and getattr(receive, "__self__", channel) is not channel


def _is_http2(layer: Any) -> bool:
    http2 = sys.modules.get("twisted.web._http2")
    return http2 is not None and isinstance(layer, http2.H2Connection)


def _drain_http1(channel: Any) -> None:
    """Close *channel* when its requests are answered, and say so in what is still to be said."""

    def close_after(request: Any, _version: bytes) -> bool:
        request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        return False

    if not channel.requests:
        channel.loseConnection()
        return
    channel.checkPersistence = close_after
    channel.persistent = False
    for request in channel.requests:
        if not request.startedWriting:
            request.responseHeaders.setRawHeaders(b"Connection", [b"close"])


def _drain_http2(connection: Any) -> None:
    """Say GOAWAY, and close *connection* when its streams are at their end (RFC 9113, 6.8).

    Twice: first without refusing anything, since a request may be under way to us already.
    """
    request_done = connection._requestDone
    finishing = False

    def close_if_done() -> None:
        if finishing and not connection.streams:
            connection.transport.unregisterProducer()  # itself: TLS would wait for it
            connection.transport.loseConnection()

    def done(stream: int) -> None:
        request_done(stream)
        close_if_done()

    def finish() -> None:
        nonlocal finishing
        finishing = True
        if connection.connected:
            _go_away(connection, connection.conn.highest_inbound_stream_id)
            close_if_done()

    connection._requestDone = done
    _go_away(connection, _LAST_STREAM)
    connection.callLater(_UNDER_WAY_SECONDS, finish)


def _go_away(connection: Any, last: int) -> None:
    # Not by h2's close_connection(), after which the open streams could say nothing more.
    from hyperframe.frame import GoAwayFrame

    connection.transport.write(GoAwayFrame(0, last_stream_id=last).serialize())
