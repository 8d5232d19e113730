"""A bounded site: what a request may be, how long it may take, and what is answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.web import server
from twisted.web.resource import Resource

from socketsuite.web.site import BoundedSite, SiteLimits
from tests.support.web_port import WebPort

LIMITS = SiteLimits(
    request_line=200,
    header_bytes=1000,
    headers=10,
    body=100,
    pipelined=5,
)
HURRIED = replace(LIMITS, request_seconds=0.2, idle_seconds=0.3, linger_seconds=0.2)


class Page(Resource):
    """Answers by what it was asked, at once or when it is told to."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Any] = []

    def render_GET(self, request: Any) -> Any:
        self.asked.append(request)
        if request.args.get(b"late"):
            return server.NOT_DONE_YET
        return b"who=" + str(getattr(request.getClientAddress(), "host", "-")).encode()

    def render_POST(self, request: Any) -> bytes:
        self.asked.append(request)
        return b"%d bytes" % len(request.content.read())


class Broken(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        if request.args.get(b"begun"):
            request.setHeader(b"Content-Length", b"100")
            request.write(b"half")
        raise RuntimeError("the secret is 4711")


class Served(WebPort):
    def __init__(self, transport: str, limits: SiteLimits = LIMITS) -> None:
        self.page = Page()
        self.roomy = Page()
        self.roomy.max_body = 5000  # type: ignore[attr-defined]
        self.answered: list[int] = []
        self.refused: list[int] = []
        root = Resource()
        root.putChild(b"page", self.page)
        root.putChild(b"roomy", self.roomy)
        root.putChild(b"broken", Broken())
        super().__init__(
            transport,
            root=root,
            limits=limits,
            is_trusted=lambda host: host in ("127.0.0.1", "10.0.0.1"),
            answered=lambda request: self.answered.append(request.code),
            refused=lambda _peer, status: self.refused.append(status),
        )


@pytest.fixture(params=["burst", "stock"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    made = Served(request.param)
    made.site.doStart()
    yield made
    made.close()


@pytest.fixture(params=["burst", "stock"])
def hurried(request: pytest.FixtureRequest) -> Iterator[Served]:
    """Everything has but a moment here."""
    made = Served(request.param, HURRIED)
    yield made
    made.close()


def ask(*lines: str, body: bytes = b"", path: str = "/page", method: str = "GET") -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: localhost", *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


REFUSED: dict[str, tuple[bytes, int]] = {
    "a long line": (ask(path="/" + "a" * 250), 414),
    "a long line without an end": (b"GET /" + b"a" * 400, 414),
    "no request line": (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
    "two empty lines": (b"\r\n\r\n" + ask(), 400),
    "an unknown version": (b"GET /page HTTP/2.0\r\nHost: a\r\n\r\n", 400),
    "an absolute target": (b"GET http://a/page HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a target for proxies": (b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "many headers": (ask(*(f"X-{n}: y" for n in range(11))), 431),
    "large headers": (ask(*(f"X-{n}: {'y' * 300}" for n in range(4))), 431),
    "a long header": (ask("X-Long: " + "y" * 1001), 431),
    "a long header without an end": (ask()[:-2] + b"X-Long: " + b"y" * 1400, 431),
    "a folded header": (ask("X-Folded: a", " Content-Length: 5"), 400),
    "a header without a colon": (ask("nonsense"), 400),
    "a space before the colon": (ask("Content-Length : 5"), 400),
    "no host": (b"GET /page HTTP/1.1\r\n\r\n", 400),
    "two hosts": (ask("Host: other"), 400),
    "a bare LF within": (ask("X: a\nContent-Length: 5"), 400),
    "a NUL": (ask("X: a\0b"), 400),
    "two lengths": (ask("Content-Length: 5", "Content-Length: 6", method="POST"), 400),
    "one length twice": (ask("Content-Length: 5", "Content-Length: 5", method="POST"), 400),
    "a list of lengths": (ask("Content-Length: 5, 5", method="POST"), 400),
    "a signed length": (ask("Content-Length: +5", method="POST"), 400),
    "a length in hexadecimal": (ask("Content-Length: 0x5", method="POST"), 400),
    "a length and chunks": (
        ask("Content-Length: 5", "Transfer-Encoding: chunked", method="POST"),
        400,
    ),
    "chunks and a length": (
        ask("Transfer-Encoding: chunked", "Content-Length: 5", method="POST"),
        400,
    ),
    "chunks twice": (
        ask("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", method="POST"),
        400,
    ),
    "another encoding": (ask("Transfer-Encoding: gzip, chunked", method="POST"), 400),
    "an encoding that says nothing": (ask("Transfer-Encoding: identity", method="POST"), 400),
    "chunks of HTTP/1.0": (
        b"POST /page HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"x"),
        400,
    ),
    "a chunk of no length": (
        ask("Transfer-Encoding: chunked", method="POST", body=b"xyz\r\nabc\r\n"),
        400,
    ),
    "a body too large": (ask("Content-Length: 101", method="POST"), 413),
    "a body far too large": (ask("Content-Length: " + "9" * 600, method="POST"), 413),
    "a body that is not asked for": (
        ask("Content-Length: 101", "Expect: 100-continue", method="POST"),
        413,
    ),
    "chunks too large": (
        ask("Transfer-Encoding: chunked", method="POST", body=chunked(b"x" * 60, b"y" * 60)),
        413,
    ),
    "a body too large in a roomy place": (
        ask("Content-Length: 5001", path="/roomy/below?x", method="POST"),
        413,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_request_is_refused_and_the_connection_closed(served: Served, name: str) -> None:
    sent, expected = REFUSED[name]
    caller = served.caller()
    # Behind it another one, which must not be answered, whatever the first is taken for.
    caller.send(sent + ask())
    status, headers, body = caller.answer()
    assert (status, served.refused) == (expected, [expected])
    assert body.startswith(str(expected).encode())
    assert body.count(b"\n") == 1
    assert headers["connection"] == "close"
    assert headers["x-content-type-options"] == "nosniff"
    assert caller.rest() == b""
    assert served.page.asked + served.roomy.asked == []
    caller.socket.close()
    served.until(lambda: not served.carriers())


def test_a_refusal_reaches_a_client_that_is_still_sending(served: Served) -> None:
    caller = served.caller()
    caller.socket.send(ask("Content-Length: 100000000", method="POST"))
    for _ in range(20):
        served.turn()
        caller.socket.send(b"x" * 50_000)  # and reads nothing yet: a reset would take it all
    assert caller.answer()[0] == 413
    assert caller.rest() == b""


def test_who_sends_on_after_a_refusal_is_cut_off(hurried: Served) -> None:
    caller = hurried.caller()
    caller.send(b"\x00\r\n")
    hurried.until(lambda: hurried.refused)
    hurried.until(lambda: not hurried.carriers())


@pytest.mark.parametrize(
    ("begun", "then"),
    [
        (b"G", b"E"),
        (b"GET /page HTTP/1.1\r\n", b"X: y\r\n"),
        (ask("Content-Length: 50", method="POST"), b"x"),
        (ask("Transfer-Encoding: chunked", method="POST"), b"1\r\nx\r\n"),
        (ask() + b"GET /pa", b"g"),
    ],
    ids=["line", "headers", "body", "chunks", "the second request"],
)
def test_a_request_has_its_time_however_many_bytes_of_it_come(
    hurried: Served, begun: bytes, then: bytes
) -> None:
    caller = hurried.caller()
    caller.send(begun)
    if begun.startswith(ask()):
        caller.answer()
    pieces = 0

    def refused() -> bool:
        nonlocal pieces
        if pieces < 10:
            caller.send(then)
            pieces += 1
        return bool(hurried.refused)

    hurried.until(refused)
    assert hurried.refused == [408]
    assert caller.answer()[0] == 408
    assert caller.rest() == b""


def test_an_idle_connection_is_closed_without_a_word(hurried: Served) -> None:
    caller = hurried.caller()
    assert caller.rest() == b""
    asked = hurried.caller()
    asked.send(ask())
    assert asked.answer()[0] == 200
    assert asked.rest() == b""
    assert hurried.refused == []
    hurried.until(lambda: not hurried.carriers())


def test_a_request_may_be_answered_later_than_it_had_to_come(hurried: Served) -> None:
    caller = hurried.caller()
    caller.send(ask(path="/page?late=1"))
    hurried.until(lambda: hurried.page.asked)
    began = hurried.reactor.seconds()
    hurried.until(lambda: hurried.reactor.seconds() > began + 0.5)
    caller.take()
    assert not caller.ended
    hurried.page.asked[0].write(b"late")
    hurried.page.asked[0].finish()
    assert b"late" in caller.until(b"0\r\n\r\n")
    caller.send(ask())
    assert caller.answer()[0] == 200


def test_who_asks_on_and_on_without_reading_is_served_some_and_closed(served: Served) -> None:
    caller = served.caller()
    caller.socket.send(ask() * 3000)
    for _ in range(5):
        served.turn()
    closing = [caller.answer()[1].get("connection") for _ in range(LIMITS.pipelined)]
    assert closing == [*[None] * (LIMITS.pipelined - 1), "close"]
    assert caller.rest() == b""
    caller.socket.send(b"more")  # no reset has come, which might have overtaken an answer
    assert served.answered == [200] * LIMITS.pipelined


@pytest.mark.parametrize(
    "request_bytes",
    [
        ask(),
        ask("Content-Length: 3", method="POST", body=b"abc"),
        ask("Transfer-Encoding: chunked", method="POST", body=chunked(b"a", b"bc")),
    ],
    ids=["no body", "a body", "chunks"],
)
def test_requests_one_after_the_other_have_no_such_limit(
    served: Served, request_bytes: bytes
) -> None:
    caller = served.caller()
    for _ in range(3 * LIMITS.pipelined):
        caller.send(request_bytes)
        status, headers, _ = caller.answer()
        assert (status, headers.get("connection")) == (200, None)


def test_a_body_is_read_where_it_is_within_its_limit(served: Served) -> None:
    caller = served.caller()
    caller.send(ask("Content-Length: 100", method="POST", body=b"x" * 100))
    assert caller.answer()[2] == b"100 bytes"
    caller.send(ask("Transfer-Encoding: chunked", method="POST", body=chunked(b"x" * 99, b"y")))
    assert caller.answer()[2] == b"100 bytes"
    caller.send(ask("Content-Length: 5000", path="/roomy", method="POST", body=b"x" * 5000))
    assert caller.answer()[2] == b"5000 bytes"
    caller.send(ask("Content-Length: 1", "Expect: 100-continue", method="POST"))
    assert caller.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"


def test_errors_are_one_line_and_tell_nothing(
    served: Served, flushed: list[dict[str, Any]]
) -> None:
    caller = served.caller()
    for path, method, expected in (
        ("/", "GET", 404),
        ("/nowhere/x", "GET", 404),
        ("/page", "DELETE", 405),
        ("/page", "BREW", 501),
        ("/broken", "GET", 500),
    ):
        caller.send(ask(path=path, method=method))
        status, headers, body = caller.answer()
        assert (status, body.count(b"\n")) == (expected, 1), body
        assert headers["content-type"] == "text/plain; charset=utf-8"
        assert "server" not in headers
        assert b"4711" not in body
    caller.send(ask(path="/page", method="DELETE"))
    assert "GET" in caller.answer()[1]["allow"]
    assert served.answered == [404, 404, 405, 501, 500, 405]
    assert len([each for each in flushed if each["isError"]]) == 1


def test_half_an_answer_never_looks_like_a_whole_one(
    served: Served, flushed: list[dict[str, Any]]
) -> None:
    caller = served.caller()
    caller.send(ask(path="/broken?begun=1"))
    assert len(caller.rest().partition(b"\r\n\r\n")[2]) <= 4
    assert len([each for each in flushed if each["isError"]]) == 1


def test_a_head_has_the_length_and_no_body(served: Served, flushed: list[dict[str, Any]]) -> None:
    caller = served.caller()
    caller.send(ask(method="HEAD"))
    head = caller.until(b"\r\n\r\n")
    assert b"Content-Length: 13\r\n" in head
    caller.send(ask())
    assert caller.until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert flushed == []  # not a line for it


def test_the_client_is_whom_a_trusted_proxy_names(served: Served) -> None:
    caller = served.caller()
    for line, expected in (
        ("X-Forwarded-For: 192.0.2.9, 203.0.113.7, 10.0.0.1", b"who=203.0.113.7"),
        ('Forwarded: for=evil;by=_x, for="[2001:db8::1]:4711"', b"who=2001:db8::1"),
        ("X-Nothing: x", b"who=127.0.0.1"),
    ):
        caller.send(ask(line))
        assert caller.answer()[2] == expected
    caller.send(ask("X-Forwarded-For: nonsense"))
    assert caller.answer()[0] == 400


@pytest.mark.parametrize("how", ["idle", "asking", "answering", "body"])
def test_a_drain_finishes_what_was_asked_and_no_more(served: Served, how: str) -> None:
    caller = served.caller()
    begun = {
        "idle": b"",
        "asking": b"GET /page HT",
        "answering": ask(path="/page?late=1") + ask(),
        "body": ask("Content-Length: 3", method="POST") + b"x",
    }[how]
    caller.send(begun)
    served.until(served.carriers)
    served.turn()
    [carrier] = served.carriers()
    carrier.protocol.drain()
    if how == "asking":
        caller.send(b"TP/1.1\r\nHost: x\r\n\r\n")
    elif how == "answering":
        request = served.page.asked[0]
        request.setHeader(b"Content-Length", b"4")
        request.write(b"late")
        request.finish()
    elif how == "body":
        caller.send(b"yz")
    if how != "idle":
        status, headers, _ = caller.answer()
        assert (status, headers["connection"]) == (200, "close")
    assert caller.rest() == b""
    caller.socket.close()
    served.until(lambda: not served.carriers())


def test_a_unix_peer_is_nobody_that_could_be_named() -> None:
    site = BoundedSite(Resource(), reactor=None)
    assert site.is_trusted(None) is False
    assert site.acceptableProtocols() == [b"http/1.1"]
    assert IPv4Address("TCP", "1.2.3.4", 0).host == "1.2.3.4"
