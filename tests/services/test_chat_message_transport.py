"""A WebSocket connection as lines see it: what is written is frames, and may leave together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from socketsuite.services.chat.turns import in_turn
from socketsuite.services.chat.web.line_messages import MessageTransport
from tests.support.websocket_frames import TEXT, take_frame


class Connection:
    """Keeps what it is told to send, and what of it was told at once."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.together: list[list[bytes]] = []

    def send_frame(self, frame: bytes) -> None:
        self.sent.append(frame)

    def corked(self, function: Callable[..., Any], *arguments: Any) -> Any:
        before = len(self.sent)
        result = function(*arguments)
        self.together.append(self.sent[before:])
        return result


def test_lines_of_a_later_turn_leave_together_as_a_frame_each() -> None:
    connection: Any = Connection()
    transport = MessageTransport(connection, binary=False)

    def work() -> None:
        transport.write(b"one\ntwo\r\n")
        transport.write(b"three\n")

    in_turn(transport, work)
    (together,) = connection.together
    data, payloads = b"".join(together), []
    while taken := take_frame(data):
        got, data = taken
        payloads.append((got.opcode, got.payload))
    assert payloads == [(TEXT, b"one"), (TEXT, b"two"), (TEXT, b"three")]
    assert transport.corked(lambda text: text.upper(), "result") == "RESULT"


def test_a_transport_that_cannot_do_so_is_written_to_all_the_same() -> None:
    done: list[str] = []
    in_turn(object(), lambda: done.append("work"))
    assert done == ["work"]
