"""``/metrics`` for Prometheus, ``/health`` for whoever watches over the process, links at ``/``.

Served on loopback, to callers that may be hostile all the same: at most 32, for at most 15
seconds each, and nothing they send is kept.  This module must not know what is counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import Service
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from socketsuite.daemon.errors import StartError
from socketsuite.daemon.listen.settings import ListenSettings
from socketsuite.daemon.listen.sockets import BoundSocket, bind_all
from socketsuite.observe.events import Events
from socketsuite.policies.admission import AdmissionPolicy
from socketsuite.policies.admission_factory import AdmissionFactory
from socketsuite.policies.connections import Connections
from socketsuite.policies.settings import AdmissionSettings
from socketsuite.reasons import IDLE_TIMEOUT, STOPPED
from socketsuite.transport.adopted import adopt_stream
from socketsuite.transport.observed import observe_port
from socketsuite.transport.options import Connection, PortOptions

LOOPBACK = "127.0.0.1"
LIFETIME = 15.0
MOST_CONNECTIONS = 32
_SEND_QUEUE = 16 << 20
_HTML = "text/html; charset=utf-8"
_LANDING = b"""<!DOCTYPE html>
<html lang="en">
<title>socketsuite</title>
<h1>socketsuite</h1>
<ul>
<li><a href="/metrics">/metrics</a>: figures for Prometheus
<li><a href="/health">/health</a>: 200 while serving, else 503 or failing
</ul>
</html>
"""
_PLAIN = "text/plain; charset=utf-8"
_METHODS = (b"GET", b"HEAD")

_log = Logger(namespace="socketsuite")

Health = Callable[[], Mapping[str, Any]]
# Takes the reader's Accept header; returns a media type and a body.
Figures = Callable[[str], tuple[str, bytes]]


class MetricsPage(Service):
    """Serves the pages on loopback; ``privilegedStartService`` binds.

    :param port: 0 lets the kernel choose; :attr:`port` is then the one it chose.
    :param page: returns the metrics of this moment, in a form that the reader accepts.
    :param health: returns what ``/health`` says; its ``status`` is ``ok`` while serving.
    """

    def __init__(self, port: int, reactor: Any, *, page: Figures, health: Health) -> None:
        self.port = port
        self._reactor = reactor
        self._site = _QuietSite(_root(page, health), reactor)
        self.connections = _ShortConnections(reactor)
        self._bound: list[BoundSocket] = []
        self._listening: Any = None

    def privilegedStartService(self) -> None:
        """Bind the port.

        :raises StartError: when it cannot be had.
        """
        wanted = ListenSettings(port=(self.port,), interface=(LOOPBACK,))
        try:
            self._bound = bind_all(wanted, tcp=True, udp=False)
        except StartError as error:
            raise StartError(str(error).replace("--port", "--metrics-port")) from None

    def startService(self) -> None:
        """Begin to answer."""
        super().startService()
        (bound,) = self._bound
        gate = AdmissionFactory(self._site, self.connections, "http", by_proxy=False)
        port = adopt_stream(self._reactor, bound.socket, gate)
        observe_port(port, PortOptions(self.connections, "http", _SEND_QUEUE), burst=False)
        self._listening = port
        self.close()
        self.port = port.getHost().port
        where = f"http://{LOOPBACK}:{self.port}/metrics"
        _log.info("metrics {where}", where=where)

    def stopService(self) -> Any:
        """Stop answering, and drop who is still there."""
        super().stopService()
        self.close()
        for transport in list(self.connections.open):
            transport.abort(STOPPED)
        listening, self._listening = self._listening, None
        return listening.stopListening() if listening is not None else None

    def close(self) -> None:
        """Let go of a bound socket."""
        bound, self._bound = self._bound, []
        for each in bound:
            each.close()


class _ShortConnections(Connections):
    """Connections that last :data:`LIFETIME` seconds at most, whatever they are doing."""

    def __init__(self, reactor: Any) -> None:
        policy = AdmissionPolicy(
            AdmissionSettings(max_connections=MOST_CONNECTIONS), reactor.seconds
        )
        super().__init__("metrics", Events(), reactor.seconds, policy)
        self._reactor = reactor
        self._ends: dict[Connection, Any] = {}

    def opened(self, transport: Connection) -> None:
        super().opened(transport)
        self._ends[transport] = self._reactor.callLater(LIFETIME, transport.abort, IDLE_TIMEOUT)

    def closed(self, transport: Connection, reason: Failure) -> None:
        end = self._ends.pop(transport)
        if end.active():
            end.cancel()
        super().closed(transport, reason)


class _QuietSite(Site):
    """A site without an access log, and without the timer that one needs."""

    noisy = False

    def __init__(self, resource: Resource, reactor: Any) -> None:
        super().__init__(resource, _BodilessRequest, timeout=LIFETIME, reactor=reactor)

    def startFactory(self) -> None:
        pass

    def stopFactory(self) -> None:
        pass

    def log(self, request: Any) -> None:
        pass


class _BodilessRequest(Request):
    """A request whose body, if it has one, is not taken: the pages are only read."""

    channel: HTTPChannel

    def gotLength(self, length: int | None) -> None:
        super().gotLength(0)
        if length != 0:
            self.channel.forceAbortClient()

    def handleContentChunk(self, data: bytes) -> None:
        pass


# Returns status, media type and body of a page of this moment, for that Accept header.
_Make = Callable[[str], tuple[int, str, bytes]]


class _Pages(Resource):
    """Every page by its path, made anew for each reader; to be read, and no more than that."""

    isLeaf = True

    def __init__(self, pages: Mapping[bytes, _Make]) -> None:
        super().__init__()
        self._pages = pages

    def render(self, request: Request) -> bytes:
        make = self._pages.get(request.path.rstrip(b"/"))
        if make is None:
            code, content_type, body = 404, _PLAIN, b"there are /metrics and /health here\n"
        elif request.method in _METHODS:
            code, content_type, body = make(_accepted(request))
            request.setHeader("Vary", "Accept")
        else:
            code, content_type, body = 405, _PLAIN, b"this page can only be read\n"
            request.setHeader("Allow", b", ".join(_METHODS))
        request.setResponseCode(code)
        request.setHeader("Content-Type", content_type)
        request.setHeader("Cache-Control", "no-store")
        request.setHeader("X-Content-Type-Options", "nosniff")
        request.setHeader("Content-Security-Policy", "default-src 'none'")
        if request.method == b"HEAD":
            request.setHeader("Content-Length", str(len(body)))
            return b""
        return body


def _accepted(request: Request) -> str:
    values = request.requestHeaders.getRawHeaders(b"accept", [])
    return ",".join(value.decode("ascii", "replace") for value in values)


def _root(page: Figures, health: Health) -> Resource:
    def landing(_: str) -> tuple[int, str, bytes]:
        return 200, _HTML, _LANDING

    def told(_: str) -> tuple[int, str, bytes]:
        said = health()
        code = 200 if said["status"] == "ok" else 503
        return code, "application/json", json.dumps(said).encode() + b"\n"

    def figures(accept: str) -> tuple[int, str, bytes]:
        return 200, *page(accept)

    return _Pages({b"": landing, b"/metrics": figures, b"/health": told})
