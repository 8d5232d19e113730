"""The opening handshake over a site: who is let in, what is agreed on, and tricks with it."""

from __future__ import annotations

import base64
import gc
import weakref
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from twisted.protocols.policies import WrappingFactory
from twisted.web import server
from twisted.web.resource import Resource

from socketsuite.transport.burst import accelerate
from socketsuite.web.site import SiteLimits
from socketsuite.web.websocket import (
    Origins,
    Refused,
    WebSocketConnection,
    WebSocketResource,
    upgrade,
)
from tests.support.hand_turned import HandTurned
from tests.support.web_port import Caller, Echo, WebPort
from tests.support.websocket_frames import (
    ACCEPT,
    BINARY,
    CLOSE,
    KEY,
    PONG,
    TEXT,
    close_frame,
    frame,
    opening,
)


@pytest.fixture(scope="module", params=["burst", "stock"])
def port(request: pytest.FixtureRequest) -> Iterator[WebPort]:
    made = WebPort(request.param, limits=SiteLimits(linger_seconds=0.5))
    yield made
    made.close()


def without(name: str, *instead: str) -> bytes:
    lines = opening("/ws", *instead).decode().split("\r\n")
    return "\r\n".join(line for line in lines if not line.startswith(name + ":")).encode()


REFUSED: dict[str, tuple[bytes, int]] = {
    "no upgrade": (without("Upgrade"), 426),
    "another upgrade": (without("Upgrade", "Upgrade: h2c"), 426),
    "no connection": (without("Connection"), 400),
    "another connection": (without("Connection", "Connection: keep-alive"), 400),
    "no version": (without("Sec-WebSocket-Version"), 426),
    "an old version": (without("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8"), 426),
    "two versions": (opening("/ws", "Sec-WebSocket-Version: 13"), 426),
    "no key": (without("Sec-WebSocket-Key"), 400),
    "an empty key": (without("Sec-WebSocket-Key", "Sec-WebSocket-Key:"), 400),
    "a short key": (without("Sec-WebSocket-Key", "Sec-WebSocket-Key: AAAA"), 400),
    "a key that is no base64": (
        without("Sec-WebSocket-Key", "Sec-WebSocket-Key: ####################=="),
        400,
    ),
    "two keys": (opening("/ws", f"Sec-WebSocket-Key: {KEY}"), 400),
    "a body": (opening("/ws", "Content-Length: 5") + b"hello", 400),
    "chunks": (opening("/ws", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n", 400),
    "HTTP/1.0": (opening().replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
    "POST": (opening().replace(b"GET", b"POST"), 405),
    "HEAD": (opening().replace(b"GET", b"HEAD"), 405),
    "a subprotocol that is no name": (opening("/ws", "Sec-WebSocket-Protocol: a b"), 400),
    "one subprotocol twice": (opening("/ws", "Sec-WebSocket-Protocol: a, a"), 400),
    "no extension": (opening("/ws", "Sec-WebSocket-Extensions: ;"), 400),
    "another origin": (opening("/ws", "Origin: https://evil.example"), 403),
    "no origin of its own": (opening("/ws", "Origin: null"), 403),
    "two origins": (opening("/ws", "Origin: http://localhost", "Origin: http://evil"), 403),
    "another port": (opening("/ws", "Origin: http://localhost:81"), 403),
    "a place below": (opening("/ws/below"), 404),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_opens_no_websocket_is_answered_by_http(port: WebPort, name: str) -> None:
    sent, expected = REFUSED[name]
    handlers = len(port.handlers)
    caller = port.caller()
    caller.send(sent)
    if name == "HEAD":
        assert caller.until(b"\r\n\r\n").startswith(b"HTTP/1.1 405 ")
    else:
        status, headers, body = caller.answer()
        assert (status, body.count(b"\n")) == (expected, 1)
        if expected == 426:
            assert ("upgrade" in headers) != ("sec-websocket-version" in headers)
    assert len(port.handlers) == handlers
    if name != "HTTP/1.0":
        # It is HTTP still, and nothing of the body was taken for a request.
        caller.send(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
        assert caller.answer()[0] == 404
    caller.socket.close()


@pytest.mark.parametrize(
    ("lines", "agreed"),
    [
        ((), None),
        (("Sec-WebSocket-Protocol: two, one",), "two"),
        (("Sec-WebSocket-Protocol: zero,one", "Sec-WebSocket-Protocol: two"), "one"),
        (("Sec-WebSocket-Protocol: zero",), None),
        (("Origin: http://localhost",), None),
        (("Origin: https://LOCALHOST:443", "Connection: keep-alive, Upgrade"), None),
    ],
)
def test_an_opening_is_accepted_and_a_subprotocol_agreed_on(
    port: WebPort, lines: tuple[str, ...], agreed: str | None
) -> None:
    caller = port.caller()
    caller.send(opening("/ws", *lines))
    head = caller.until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n" in head
    assert b"Upgrade: websocket\r\n" in head
    assert b"Content-Length" not in head
    assert (f"Sec-WebSocket-Protocol: {agreed}\r\n".encode() in head) is (agreed is not None)
    connection = port.handlers[-1].connection
    assert (connection.subprotocol, connection.client) == (agreed, "127.0.0.1")
    caller.socket.close()


def test_what_comes_right_behind_the_handshake_is_not_lost(port: WebPort) -> None:
    caller = port.caller()
    caller.send(opening() + frame(TEXT, b"early") + frame(9, b"ping")[:3])
    caller.until(b"\r\n\r\n")
    assert caller.frame().payload == b"early"
    caller.send(frame(9, b"ping")[3:])
    assert caller.frame().opcode == PONG


def test_an_upgrade_after_other_requests_waits_for_them_and_is_the_last(port: WebPort) -> None:
    nowhere = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
    caller = port.caller()
    caller.send(nowhere + nowhere + opening() + nowhere)
    assert caller.answer()[0] == 404
    assert caller.answer()[0] == 404
    assert caller.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    assert caller.frame().code == 1002  # what was behind is taken for frames
    assert caller.rest() == b""


def test_a_drop_at_every_byte_of_the_opening_leaves_nothing(port: WebPort) -> None:
    sent = opening()
    for each in port.callers:
        each.close()
    for size in range(1, len(sent), 7):
        caller = port.caller()
        caller.send(sent[:size])
        caller.socket.close()
    port.until(lambda: not port.carriers())


class Later(Resource):
    """Answers an opening when it is told to, on a path that does other things, too."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Any] = []

    def render_GET(self, request: Any) -> int:
        self.waiting.append(request)
        return server.NOT_DONE_YET


@pytest.fixture(params=["burst", "stock"])
def later(request: pytest.FixtureRequest) -> Iterator[tuple[WebPort, Later]]:
    root, resource = Resource(), Later()
    root.putChild(b"ws", resource)
    made = WebPort(request.param, root=root)
    yield made, resource
    made.close()


def test_a_request_is_upgraded_later_with_all_that_came_meanwhile(
    later: tuple[WebPort, Later],
) -> None:
    port, resource = later
    caller = port.caller()
    caller.send(opening())
    port.until(lambda: resource.waiting)
    sent = [bytes([n]) * 9000 for n in range(10)]  # more than a channel reads ahead
    caller.send(*(frame(BINARY, data) for data in sent[:4]))
    handler = Echo()
    notified = resource.waiting[0].notifyFinish()
    resource.waiting[0].responseHeaders.setRawHeaders("Set-Cookie", ["a=b"])
    upgrade(resource.waiting[0], handler, subprotocol="late")
    assert notified.called
    caller.send(*(frame(BINARY, data) for data in sent[4:]))
    head = caller.until(b"\r\n\r\n")
    assert b"Set-Cookie: a=b\r\n" in head
    assert b"Sec-WebSocket-Protocol: late\r\n" in head
    for data in sent:
        assert caller.frame().payload == data
    assert handler.told == ["made", *sent]


def test_what_cannot_be_upgraded_is_refused_before_anything_is_sent(
    later: tuple[WebPort, Later],
) -> None:
    port, resource = later
    caller = port.caller()
    caller.send(b"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n")
    port.until(lambda: resource.waiting)
    handler = Echo()
    with pytest.raises(Refused, match="this is a WebSocket"):
        upgrade(resource.waiting[0], handler)
    resource.waiting[0].finish()
    caller.until(b"0\r\n\r\n")
    caller.send(opening())
    port.until(lambda: len(resource.waiting) == 2)
    resource.waiting[1].write(b"begun")
    with pytest.raises(Refused, match="before anything is answered"):
        upgrade(resource.waiting[1], handler)
    gone = port.caller()
    gone.send(opening())
    port.until(lambda: len(resource.waiting) == 3)
    gone.socket.close()
    caller.socket.close()
    port.until(lambda: not port.carriers())
    with pytest.raises(Refused):
        upgrade(resource.waiting[2], handler)
    assert handler.told == []


def test_a_drain_while_an_opening_waits_is_told_by_the_websocket(
    later: tuple[WebPort, Later],
) -> None:
    port, resource = later
    caller = port.caller()
    caller.send(opening())
    port.until(lambda: resource.waiting)
    [carrier] = port.carriers()
    carrier.protocol.drain()
    upgrade(resource.waiting[0], Echo())
    caller.until(b"\r\n\r\n")
    assert caller.frame().code == 1001
    caller.send(close_frame(1001))
    assert caller.rest() == b""


def test_nothing_of_http_is_left_behind_a_websocket(later: tuple[WebPort, Later]) -> None:
    port, resource = later
    caller = port.caller()
    caller.send(opening())
    port.until(lambda: resource.waiting)
    request = resource.waiting.pop()
    left = [weakref.ref(request), weakref.ref(request.channel)]
    gc.disable()  # not even for the collector to find
    try:
        upgrade(request, Echo())
        del request
        port.turn()
        assert [each() for each in left] == [None, None]
    finally:
        gc.enable()
    [carrier] = port.carriers()
    assert type(carrier.protocol) is WebSocketConnection


@pytest.mark.parametrize("layers", [0, 1, 2])
@pytest.mark.parametrize("burst", [True, False])
def test_any_site_of_twisted_web_will_do_however_it_is_wrapped(burst: bool, layers: int) -> None:
    port = HandTurned()
    root, handlers, log = Resource(), [Echo()], StringIO()
    root.putChild(b"ws", WebSocketResource(lambda request, name: handlers[0]))
    site = server.Site(root, reactor=port.reactor)
    factory: Any = site
    for _ in range(layers):
        factory = WrappingFactory(factory)
    port.port = port.reactor.listenTCP(0, factory, interface="127.0.0.1")
    site.logFile = log
    if burst:
        accelerate(port.port)
    try:
        caller = Caller(port)
        caller.send(opening() + frame(TEXT, b"one"))
        assert caller.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        caller.send(frame(TEXT, b"two"))
        assert [caller.frame().payload, caller.frame().payload] == [b"one", b"two"]
        assert '"GET /ws HTTP/1.1" 101' in log.getvalue()
        caller.send(close_frame(1000))
        assert caller.frame().code == 1000
        caller.socket.close()
        port.until(lambda: handlers[0].told[-1] == (1000, ""))
    finally:
        site.stopFactory()
        port.close()


def test_a_handler_may_pause_before_what_came_with_the_opening(port: WebPort) -> None:
    class Careful(Echo):
        def connection_made(self, connection: WebSocketConnection) -> None:
            super().connection_made(connection)
            connection.pause()

    port.make_handler = Careful
    caller = port.caller()
    caller.send(opening() + frame(TEXT, b"early"))
    caller.until(b"\r\n\r\n")
    port.turn()
    handler = port.handlers[-1]
    assert handler.told == ["made"]
    handler.connection.resume()
    assert caller.frame().payload == b"early"
    port.make_handler = Echo


def test_open_says_no_by_any_status(port: WebPort) -> None:
    def refuse(request: Any, subprotocol: str | None) -> Any:
        raise Refused(503, "the room is full", (("Retry-After", "5"),))

    root: Any = port.site.resource
    root.putChild(b"full", WebSocketResource(refuse))
    caller = port.caller()
    caller.send(opening("/full"))
    status, headers, body = caller.answer()
    assert (status, headers["retry-after"], body) == (503, "5", b"503 the room is full\n")
    caller.send(opening("/full", "Origin: http://evil"))
    assert caller.answer()[0] == 403


@pytest.mark.parametrize(
    ("origins", "said", "host", "allowed"),
    [
        (Origins(), "http://a.example", "a.example", True),
        (Origins(), "https://a.example", "a.example", True),
        (Origins(), "https://a.example", "a.example:443", True),
        (Origins(), "https://a.example", "A.EXAMPLE.", True),
        (Origins(), "https://a.example:8443", "a.example:8443", True),
        (Origins(), "https://a.example:8443", "a.example", False),
        (Origins(), "http://a.example", "a.example:8080", False),
        (Origins(), "http://[::1]:8080", "[::1]:8080", True),
        (Origins(), "http://a.example.evil", "a.example", False),
        (Origins(), "http://a.example@evil", "a.example", False),
        (Origins(), "http://a.example/path", "a.example", False),
        (Origins(), "a.example", "a.example", False),
        (Origins(), "http://", "", False),
        (Origins(), "http://a:b", "a:b", False),
        (Origins(), "null", "a.example", False),
        (Origins(), "*", "*", False),
        (Origins(own=False), "http://a.example", "a.example", False),
        (Origins.of(["https://b.example"]), "https://b.example:443", "a.example", True),
        (Origins.of(["https://b.example"]), "http://b.example", "a.example", False),
        (Origins.of(["https://b.example"]), "https://a.example", "a.example", True),
        (Origins.of(["*"]), "http://evil", "a.example", True),
        (Origins.of(["*"]), "nonsense", "a.example", True),
        (Origins.of(["null"]), "null", "a.example", True),
    ],
)
def test_an_origin_is_ours_or_one_of_the_list(
    origins: Origins, said: str, host: str, allowed: bool
) -> None:
    assert origins.allows([said], host) is allowed


def test_whoever_sends_no_origin_is_no_page() -> None:
    assert Origins().allows([], "a.example")
    assert not Origins(missing=False).allows([], "a.example")
    assert not Origins.of(["*"]).allows(["http://a", "http://b"], "a")
    with pytest.raises(ValueError, match="is no origin"):
        Origins.of(["chat.example"])


def test_a_key_is_answered_as_the_rfc_shows_it() -> None:
    assert base64.b64decode(KEY) == b"the sample nonce"
    assert opening().count(KEY.encode()) == 1
    assert CLOSE == 8
