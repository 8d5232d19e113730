"""A WebSocket's life: pauses, pings, ends from either side and from within, handlers that fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from socketsuite.web.options import common_of
from socketsuite.web.websocket import WebSocketOptions
from socketsuite.wire.websocket import encode_text
from tests.support.web_port import Caller, Echo, WebPort
from tests.support.websocket_frames import (
    BINARY,
    PING,
    PONG,
    TEXT,
    close_frame,
    frame,
    opening,
)

OPTIONS = WebSocketOptions(max_message=100_000, ping_interval=0, close_timeout=0.2)


@pytest.fixture(params=["burst", "stock"])
def port(request: pytest.FixtureRequest) -> Iterator[WebPort]:
    made = WebPort(request.param, options=OPTIONS)
    yield made
    made.close()


def handler_of(port: WebPort) -> Any:
    return port.handlers[-1]


# ── the end ─────────────────────────────────────────────────────────────────────────────


def test_a_handler_closes_and_is_told_what_the_peer_answers(port: WebPort) -> None:
    caller = port.websocket()
    handler = handler_of(port)
    handler.connection.close(4001, "go")
    assert caller.frame().payload == b"\x0f\xa1go"
    caller.send(frame(TEXT, b"late") + frame(PING, b"late"))
    handler.connection.send_text("dropped")
    handler.connection.close(1000)
    assert handler.told == ["made"]
    caller.send(close_frame(4001, b"gone"))
    assert caller.rest() == b""
    assert handler.told == ["made", (4001, "gone")]


def test_a_peer_that_answers_no_close_is_cut_off_in_time(port: WebPort) -> None:
    caller = port.websocket()
    handler_of(port).connection.close()
    assert caller.frame().code == 1000
    assert caller.rest() == b""
    port.until(lambda: not port.carriers())
    assert handler_of(port).told == ["made", (1006, "")]


def test_who_closes_and_stays_is_cut_off_in_time(port: WebPort) -> None:
    caller = port.websocket()
    caller.send(close_frame(1000))
    assert caller.frame().code == 1000
    assert handler_of(port).told == ["made", (1000, "")]
    port.until(lambda: not port.carriers())


@pytest.mark.parametrize("polite", [True, False])
def test_a_connection_that_is_lost_is_told_as_1006(port: WebPort, polite: bool) -> None:
    caller = port.websocket()
    caller.send(frame(TEXT, b"half")[:5])
    if not polite:
        caller.socket.setsockopt(1, 13, b"\x01\0\0\0\0\0\0\0")  # SO_LINGER: a reset
    caller.socket.close()
    port.until(lambda: handler_of(port).told[-1] == (1006, ""))
    port.until(lambda: not port.carriers())
    handler_of(port).connection.send_text("to nobody")
    handler_of(port).connection.close()
    handler_of(port).connection.abort()


def test_a_peer_that_broke_a_rule_hears_so_while_it_is_still_sending(port: WebPort) -> None:
    caller = port.websocket()
    caller.socket.send(frame(TEXT, b"\xff"))
    for _ in range(20):
        port.turn()
        caller.socket.send(b"x" * 50_000)  # and reads nothing yet: a reset would take it all
    assert caller.frame().code == 1007
    assert caller.rest() == b""


def test_who_closes_while_it_reads_nothing_is_told_the_answer(port: WebPort) -> None:
    caller = port.websocket()
    connection = handler_of(port).connection
    connection.pause()
    caller.send(frame(TEXT, b"not read"))
    port.turn()
    connection.close(4000)
    assert caller.frame().code == 4000
    caller.send(close_frame(4000, b"yes"))
    assert caller.rest() == b""
    assert handler_of(port).told == ["made", (4000, "yes")]


def test_a_code_that_must_not_be_sent_is_the_programs_mistake(port: WebPort) -> None:
    port.websocket()
    for code in (1006, 1015, 999, 2000, 5000):
        with pytest.raises(ValueError, match="no code that may be sent"):
            handler_of(port).connection.close(code)


def test_a_reason_that_is_too_long_is_cut_between_characters(port: WebPort) -> None:
    caller = port.websocket()
    handler_of(port).connection.close(1000, "ä" * 100)
    assert caller.frame().payload[2:].decode() == "ä" * 61


def test_a_drain_says_1001_or_is_the_handlers_own(port: WebPort) -> None:
    caller = port.websocket()
    [carrier] = port.carriers()
    carrier.protocol.drain()
    assert caller.frame().code == 1001

    class Polite(Echo):
        def drain(self) -> None:
            self.connection.send_text("bye")
            self.connection.close(1012)

    port.make_handler = Polite
    caller = port.websocket()
    handler_of(port).connection.drain()
    assert caller.frame().payload == b"bye"
    assert caller.frame().code == 1012


# ── handlers that do it from within, or fail ────────────────────────────────────────────


def in_each_callback(act: Callable[[Any], None]) -> dict[str, type[Echo]]:
    class Made(Echo):
        def connection_made(self, connection: Any) -> None:
            super().connection_made(connection)
            act(self)

    class Text(Echo):
        def text_received(self, text: str) -> None:
            act(self)

    class Binary(Echo):
        def binary_received(self, data: bytes) -> None:
            act(self)

    class Closed(Echo):
        def connection_closed(self, code: int, reason: str) -> None:
            super().connection_closed(code, reason)
            act(self)

    class Drained(Echo):
        def drain(self) -> None:
            act(self)

    return {each.__name__: each for each in (Made, Text, Binary, Closed, Drained)}


def fail(_handler: Any) -> None:
    raise RuntimeError("on purpose")


def provoke(port: WebPort, name: str, act: Callable[[Any], None]) -> Caller:
    """Return a caller whose handler does *act* in the callback *name*."""
    port.make_handler = in_each_callback(act)[name]
    caller = port.caller()
    caller.send(opening())
    port.until(lambda: port.handlers and handler_of(port).told)
    sent = {"Text": frame(TEXT, b"x"), "Binary": frame(BINARY, b"x")}
    # What is behind must not be handed on any more.
    caller.send(sent.get(name, b"") + frame(TEXT, b"behind") * (name in sent))
    if name == "Closed":
        caller.send(close_frame(1000))
    elif name == "Drained":
        handler_of(port).connection.drain()
    return caller


@pytest.mark.parametrize("name", ["Made", "Text", "Binary", "Closed", "Drained"])
def test_a_handler_that_fails_ends_its_own_connection_and_no_other(
    port: WebPort, name: str, flushed: list[dict[str, Any]]
) -> None:
    other = port.websocket()
    other_handler = port.handlers.pop()
    caller = provoke(port, name, fail)
    caller.until(b"\r\n\r\n")
    assert caller.frame().code == (1000 if name == "Closed" else 1011)
    assert caller.rest() == b""
    told = [(1000, "")] if name == "Closed" else [(1011, "")]
    assert [each for each in handler_of(port).told if each != "made"] == told
    assert len([each for each in flushed if each["isError"]]) == 1
    other.send(frame(TEXT, b"still here"))
    assert other.frame().payload == b"still here"
    assert other_handler.told == ["made", "still here"]


@pytest.mark.parametrize("name", ["Made", "Text", "Binary", "Closed", "Drained"])
def test_a_handler_may_close_from_within_each_callback(port: WebPort, name: str) -> None:
    caller = provoke(port, name, lambda handler: handler.connection.close(4000))
    caller.until(b"\r\n\r\n")
    assert caller.frame().code == (1000 if name == "Closed" else 4000)
    caller.send(close_frame(4000))
    assert caller.rest() == b""
    assert len([each for each in handler_of(port).told if isinstance(each, tuple)]) == 1


@pytest.mark.parametrize("name", ["Made", "Text", "Binary", "Closed", "Drained"])
def test_a_handler_may_abort_from_within_each_callback(port: WebPort, name: str) -> None:
    caller = provoke(port, name, lambda handler: handler.connection.abort())
    caller.rest()
    port.until(lambda: not port.carriers())
    code = 1000 if name == "Closed" else 1006
    assert [each for each in handler_of(port).told if each != "made"] == [(code, "")]


# ── reading ─────────────────────────────────────────────────────────────────────────────


def test_a_handler_that_pauses_is_given_nothing_until_it_resumes(port: WebPort) -> None:
    class Careful(Echo):
        def text_received(self, text: str) -> None:
            super().text_received(text)
            self.connection.pause()

    port.make_handler = Careful
    caller = port.websocket()
    caller.send(b"".join(frame(TEXT, b"%d" % n) for n in range(5)) + frame(PING, b"p"))
    for n in range(5):
        assert caller.frame().payload == b"%d" % n
        port.turn()
        assert handler_of(port).told[-1] == f"{n}"
        handler_of(port).connection.resume()
    assert caller.frame().opcode == PONG
    handler_of(port).connection.pause()
    sent = 0
    while sent < 20_000_000:  # what the kernel holds, and not a byte more
        try:
            sent += caller.socket.send(frame(BINARY, b"x" * 60_000))
        except BlockingIOError:
            break
    port.turn()
    assert sent < 20_000_000
    assert getattr(handler_of(port).connection.transport, "bytes_in", 0) < 100_000
    handler_of(port).connection.close()  # the peer's part can be read again
    assert caller.frame().code == 1000


def test_a_message_is_handed_on_when_the_one_before_has_been_taken(port: WebPort) -> None:
    class Hasty(Echo):
        inside = False

        def text_received(self, text: str) -> None:
            assert not self.inside
            self.inside = True
            self.told.append(text)
            self.connection.pause()
            self.connection.resume()
            self.inside = False

    port.make_handler = Hasty
    caller = port.websocket()
    caller.send(b"".join(frame(TEXT, b"%d" % n) for n in range(1000)))
    port.until(lambda: len(handler_of(port).told) == 1001)
    assert handler_of(port).told[1:] == [f"{n}" for n in range(1000)]


def test_a_peer_that_reads_nothing_makes_nothing_pile_up(port: WebPort) -> None:
    caller = port.websocket()
    connection = handler_of(port).connection
    many = frame(PING, b"x" * 125) * 400
    sent = 0

    def refused() -> bool:
        nonlocal sent
        try:
            while sent < 200_000_000:
                sent += caller.socket.send(many[sent % len(many) :])
        except BlockingIOError:
            pass
        return bool(connection.congested)

    port.until(refused)
    for _ in range(20):
        refused()
        port.turn()
    carrier = connection.transport
    waiting = len(carrier.dataBuffer) + carrier._tempDataLen
    assert waiting < 300_000
    assert sent < 200_000_000

    def reads() -> bool:
        caller.take()
        caller.data = b""
        return not connection.congested

    port.until(reads)


def test_who_sends_many_frames_at_once_lets_others_have_their_turn(port: WebPort) -> None:
    other = port.websocket()
    caller = port.websocket()
    handler = handler_of(port)
    caller.socket.setblocking(True)
    caller.socket.sendall(frame(TEXT, b"") * 9000)
    caller.socket.setblocking(False)
    other.send(frame(TEXT, b"me too"))
    assert other.frame().payload == b"me too"
    assert len(handler.told) < 9000
    port.until(lambda: len(handler.told) == 9001)


# ── sending ─────────────────────────────────────────────────────────────────────────────


def test_a_text_that_is_no_unicode_is_sent_as_browsers_do(port: WebPort) -> None:
    caller = port.websocket()
    handler_of(port).connection.send_text("a\ud800b")
    assert caller.frame().payload.decode() == "a�b"


def test_one_frame_goes_to_many(port: WebPort) -> None:
    callers = [port.websocket() for _ in range(5)]
    made = encode_text("grüße".encode())
    for handler in port.handlers:
        handler.connection.send_frame(made)
    assert [caller.frame().payload.decode() for caller in callers] == ["grüße"] * 5


# ── pings ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture(params=["burst", "stock"])
def pinging(request: pytest.FixtureRequest) -> Iterator[WebPort]:
    options = WebSocketOptions(ping_interval=0.1, ping_timeout=0.2, close_timeout=0.2)
    made = WebPort(request.param, options=options)
    yield made
    made.close()


def test_a_peer_is_asked_for_a_sign_of_life_and_dropped_without_one(pinging: WebPort) -> None:
    caller = pinging.websocket()
    silent = pinging.websocket()
    answered = 0
    while answered < 6:
        assert caller.frame().opcode == PING
        caller.send(frame(PONG))
        answered += 1
    assert silent.rest() == frame(PING, mask=None)
    assert [handler.told[1:] for handler in pinging.handlers] == [[], [(1006, "")]]
    caller.send(close_frame(1000))
    assert caller.until(b"\x88\x02\x03\xe8")
    caller.socket.close()
    pinging.until(lambda: not pinging.reactor.getDelayedCalls())  # not a timer is left


def test_who_is_not_read_from_is_not_dropped_for_its_silence(pinging: WebPort) -> None:
    caller = pinging.websocket()
    handler = handler_of(pinging)
    handler.connection.pause()
    pings = 0
    while pings < 5:
        assert caller.frame().opcode == PING
        pings += 1
    handler.connection.resume()
    caller.send(frame(TEXT, b"here"))
    pinging.until(lambda: handler.told[-1] == "here")


@pytest.mark.parametrize("polite", [True, False])
def test_no_timer_knows_a_connection_that_is_gone(polite: bool) -> None:
    options = WebSocketOptions(ping_interval=1000)
    port = WebPort(options=options)
    try:
        caller = port.websocket()
        common = common_of(port.reactor, options)
        assert len(common.pings) == 1
        if polite:
            caller.send(close_frame(1000))
            assert caller.rest()
        caller.socket.close()
        port.until(lambda: not port.carriers())
        assert [len(each) for each in (common.pings, common.pinged, common.closing)] == [0, 0, 0]
    finally:
        port.close()


def test_all_connections_share_their_timers(pinging: WebPort) -> None:
    callers = [pinging.websocket() for _ in range(20)]
    # The site's have one each while they are HTTP; here is none left.
    assert len(pinging.reactor.getDelayedCalls()) <= 2
    for caller in callers:
        assert caller.frame().opcode == PING
