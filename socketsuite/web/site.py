"""A site of twisted.web that may stand in the open: limits, plain errors, a drain, who asks.

It speaks HTTP/1.1.  This module must not know what is served, nor of the daemon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from io import BytesIO
from typing import Any

from twisted.python.failure import Failure
from twisted.web import http, server
from twisted.web.error import UnsupportedMethod
from twisted.web.resource import _UnsafeErrorPageBase

from socketsuite.web.answers import SECURITY_HEADERS, answer, phrase
from socketsuite.web.channel import BoundedChannel, SiteLimits
from socketsuite.web.forwarded import believed_address
from socketsuite.wire.forwarded import ForwardedError

__all__ = ["BoundedRequest", "BoundedSite", "SiteLimits"]

_METHODS = {b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"}


class BoundedRequest(server.Request):
    """A request to a :class:`BoundedSite`.

    Its ``getClientAddress()`` is who the site believes it is from.
    """

    channel: Any
    transport: Any
    most_body = 0
    _body = 0

    def __init__(self, channel: Any, *arguments: Any, **named: Any) -> None:
        super().__init__(channel, *arguments, **named)
        for name, value in channel.site.headers:
            self.responseHeaders.setRawHeaders(name, [value])

    def handleContentChunk(self, data: bytes) -> None:
        """Take a piece of the body, whose length may not have been told.

        :raises http._MalformedChunkedDataError: when that is too much; it has been answered.
        """
        self._body += len(data)
        if self._body > self.most_body:
            self.channel.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            raise http._MalformedChunkedDataError("too large")
        super().handleContentChunk(data)

    def process(self) -> None:
        """Find out who asks, and answer."""
        site: BoundedSite = self.channel.site
        try:
            self.client = believed_address(self, site.is_trusted)
        except ForwardedError as error:
            self.setResponseCode(400)
            self._finish_with(answer(self, 400, str(error)))
        else:
            super().process()

    def write(self, data: bytes) -> None:
        """Begin or go on with the answer; what serves it is nobody's business."""
        if not self.startedWriting:
            self.responseHeaders.removeHeader(b"Server")
        super().write(data)

    def render(self, resource: Any) -> None:
        """Let *resource* answer; what goes wrong is one line of text."""
        if isinstance(resource, _UnsafeErrorPageBase):
            self._finish_with(answer(self, resource.code, phrase(resource.code)))
            return
        try:
            body = resource.render(self)
        except UnsupportedMethod as error:
            status = 405 if self.method in _METHODS else 501
            allowed = b", ".join(error.allowedMethods).decode("latin-1")
            self._finish_with(answer(self, status, phrase(status), [("Allow", allowed)]))
            return
        if body is not server.NOT_DONE_YET:
            if not isinstance(body, bytes):
                raise TypeError(f"{resource!r} answered by {type(body).__name__}, not bytes")
            self._finish_with(body)

    def _finish_with(self, body: bytes) -> None:
        self.setHeader(b"Content-Length", b"%d" % len(body))
        self.write(b"" if self.method == b"HEAD" else body)
        self.finish()

    def processingFailed(self, reason: Failure) -> Failure:
        """Log what a resource raised, and say no more of it than that."""
        self._log.failure("a request could not be answered", failure=reason)
        if self.channel is None or self.startedWriting:
            if self.transport is not None:
                self.transport.abortConnection()  # half an answer must not look like a whole one
        else:
            self._finish_with(answer(self, 500, phrase(500)))
        return reason


class BoundedSite(server.Site):
    """A site whose connections cost no more than their limits.

    :param resource: the root.
    :param headers: what every answer says; a resource may set each otherwise for itself.
    :param is_trusted: given a host (``None`` for a Unix socket's peer), whether it is a proxy
        whose word on its caller is believed.
    :param answered: called with each request after its answer, WebSockets' included.
    :param refused: called with the peer's address and the status, for what was no request.
    """

    protocol = BoundedChannel  # type: ignore[assignment]
    requestFactory = BoundedRequest
    displayTracebacks = False

    def __init__(
        self,
        resource: Any,
        limits: SiteLimits | None = None,
        *,
        reactor: Any,
        headers: Iterable[tuple[bytes, bytes]] = SECURITY_HEADERS,
        is_trusted: Callable[[str | None], bool] = lambda _: False,
        answered: Callable[[Any], object] = lambda _: None,
        refused: Callable[[Any, int], object] = lambda _peer, _status: None,
    ) -> None:
        super().__init__(resource, reactor=reactor, parsePOSTFormSubmission=False)
        self.limits, self.headers = limits or SiteLimits(), tuple(headers)
        self.is_trusted, self.refused = is_trusted, refused
        self._answered = answered
        self.timeOut = None

    def startFactory(self) -> None:
        """Begin; there is no log file, nor a clock for one."""

    def stopFactory(self) -> None:
        """End."""

    def log(self, request: Any) -> None:
        """Tell of an answer that is complete."""
        self._answered(request)

    def getContentFile(self, length: int | None) -> BytesIO:
        """Return where a body is kept: it is bounded, and so never in a file."""
        return BytesIO()

    def most_body(self, path: bytes) -> int:
        """Return the bytes of a body that are read for *path*.

        That is ``max_body`` of the resource furthest along the path that has one, among those
        that were put there; children made on demand are not asked.
        """
        resource, most = self.resource, self.limits.body
        for segment in path.partition(b"?")[0][1:].split(b"/"):
            most = getattr(resource, "max_body", most)
            if getattr(resource, "isLeaf", False):
                break
            resource = getattr(resource, "children", {}).get(segment)
            if resource is None:
                break
        return getattr(resource, "max_body", most)

    def acceptableProtocols(self) -> list[bytes]:
        """Return what is spoken: not HTTP/2, which has no upgrade, and limits of its own."""
        return [b"http/1.1"]
