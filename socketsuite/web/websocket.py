"""WebSocket for any Twisted program: a resource of ``twisted.web`` that opens connections.

This is the way in; what it offers is in ``__all__``.  It must not know what is said on them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.web.resource import Resource

from socketsuite.web.answers import answer
from socketsuite.web.connection import WebSocketConnection, WebSocketHandler
from socketsuite.web.options import WebSocketOptions
from socketsuite.web.origins import Origins
from socketsuite.web.upgrade import Refused, offer_of, upgrade

__all__ = [
    "Origins",
    "Refused",
    "WebSocketConnection",
    "WebSocketHandler",
    "WebSocketOptions",
    "WebSocketResource",
    "origin_is_allowed",
    "upgrade",
]


def origin_is_allowed(request: Any, origins: Origins) -> bool:
    """Whether the page that *request* came from may open a connection."""
    headers = request.requestHeaders
    said = [value.decode("latin-1") for value in headers.getRawHeaders(b"origin", [])]
    hosts = headers.getRawHeaders(b"host", [])
    host = hosts[0].decode("latin-1") if len(hosts) == 1 else ""
    return origins.allows(said, host)


class WebSocketResource(Resource):
    """A WebSocket at its place in a site.

    :param open: given the request and the subprotocol that was agreed on (``None`` for none),
        returns the handler of a new connection, or raises :class:`Refused`.
    :param subprotocols: that are spoken here; of those offered, the client's first is taken.
    :param origins: whose pages may open a connection.
    :param reactor: for timers; the site's without one.
    """

    isLeaf = True

    def __init__(
        self,
        open: Callable[[Any, str | None], WebSocketHandler],
        options: WebSocketOptions | None = None,
        *,
        subprotocols: Sequence[str] = (),
        origins: Origins | None = None,
        reactor: Any = None,
    ) -> None:
        super().__init__()
        self.open, self.options = open, options or WebSocketOptions()
        self.subprotocols, self.origins = tuple(subprotocols), origins or Origins()
        self.reactor = reactor

    def render(self, request: Any) -> int | bytes:
        """Open a connection, or say why not."""
        try:
            offer = offer_of(request)
            if request.postpath not in ([], [b""]):
                raise Refused(404, "Not Found")
            if not origin_is_allowed(request, self.origins):
                raise Refused(403, "pages of this origin may not connect here")
            if getattr(request.channel, "draining", False):
                raise Refused(503, "the server is about to end")
            known = (name for name in offer.subprotocols if name in self.subprotocols)
            subprotocol = next(known, None)
            handler = self.open(request, subprotocol)
            return upgrade(request, handler, self.options, subprotocol, reactor=self.reactor)
        except Refused as refused:
            return answer(request, refused.status, refused.text, refused.headers)
