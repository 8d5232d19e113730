"""Many frames at once are handed on in turns; what answers them comes in order, and together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from socketsuite.web.reading import FRAMES_IN_A_TURN
from socketsuite.web.websocket import WebSocketOptions
from tests.support.segments import segments
from tests.support.web_port import Echo, WebPort
from tests.support.websocket_frames import PING, PONG, TEXT, close_frame, frame

OPTIONS = WebSocketOptions(ping_interval=0, close_timeout=0.5)
MANY = FRAMES_IN_A_TURN * 5


@pytest.fixture(params=["burst", "stock"])
def port(request: pytest.FixtureRequest) -> Iterator[WebPort]:
    made = WebPort(request.param, options=OPTIONS)
    yield made
    made.close()


class Failing:
    """A transport whose writes fail behind the first *last*."""

    def __init__(self, transport: Any, last: int) -> None:
        self._transport, self._left = transport, last

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self._left -= 1
        if self._left < 0:
            raise MemoryError
        self._transport.write(data)


def test_answers_of_a_turn_leave_together_and_in_order(port: WebPort) -> None:
    caller = port.websocket()
    before = segments(caller.socket)
    texts = [b"%d" % n for n in range(MANY)]
    caller.send(b"".join(frame(TEXT, text) + frame(PING, text) for text in texts))
    for text in texts:
        got = caller.frame(), caller.frame()
        assert [one.opcode for one in got] == [TEXT, PONG]
        assert [one.payload for one in got] == [text, text]
    assert segments(caller.socket) - before < MANY / 10


def test_what_a_program_sends_at_another_time_leaves_together_too(port: WebPort) -> None:
    caller = port.websocket()
    connection = port.handlers[0].connection
    before = segments(caller.socket)

    def tell() -> str:
        for n in range(MANY):
            connection.send_text(str(n))
        return "told"

    assert connection.corked(tell) == "told"
    for n in range(MANY):
        assert caller.frame().payload == b"%d" % n
    assert segments(caller.socket) - before < MANY / 10


def test_a_close_comes_behind_all_answers(port: WebPort) -> None:
    caller = port.websocket()
    texts = [b"%d" % n for n in range(MANY)]
    caller.send(b"".join(frame(TEXT, text) for text in texts) + close_frame(1000))
    assert [caller.frame().payload for _ in texts] == texts
    assert caller.frame().code == 1000
    assert caller.rest() == b""
    assert port.handlers[0].told[-1] == (1000, "")


def test_a_handler_that_closes_in_a_later_turn_is_not_overtaken(port: WebPort) -> None:
    class Closes(Echo):
        def text_received(self, text: str) -> None:
            super().text_received(text)
            if text == str(MANY - 10):
                self.connection.close(4000, "enough")

    port.make_handler = Closes
    caller = port.websocket()
    caller.send(b"".join(frame(TEXT, b"%d" % n) for n in range(MANY)))
    payloads = [caller.frame().payload for _ in range(MANY - 9)]
    assert payloads == [b"%d" % n for n in range(MANY - 9)]
    assert caller.frame().code == 4000


def test_what_fails_as_a_handler_reads_on_ends_that_connection(port: WebPort) -> None:
    class Pauses(Echo):
        def text_received(self, text: str) -> None:
            super().text_received(text)
            if text == "1":
                self.connection.pause()

    port.make_handler = Pauses
    caller = port.websocket()
    handler = port.handlers[0]
    caller.send(b"".join(frame(TEXT, b"%d" % n) for n in range(1, 4)))
    assert caller.frame().payload == b"1"
    handler.connection.transport = Failing(handler.connection.transport, 0)
    with pytest.raises(MemoryError):
        handler.connection.resume()
    assert caller.rest() == b""
    port.until(lambda: handler.told == ["made", "1", "2", (1006, "")])


def test_what_fails_in_a_later_turn_ends_that_connection_alone(port: WebPort) -> None:
    other, caller = port.websocket(), port.websocket()
    connection = port.handlers[1].connection
    connection.transport = Failing(connection.transport, FRAMES_IN_A_TURN + 1)
    caller.send(b"".join(frame(TEXT, b"x") for _ in range(MANY)))
    assert len(caller.rest()) < MANY * len(frame(TEXT, b"x", mask=None))
    port.until(lambda: port.handlers[1].told[-1] == (1006, ""))
    other.send(frame(TEXT, b"still here"))
    assert other.frame().payload == b"still here"
