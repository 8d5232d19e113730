"""Targets of the acknowledgement protocol: both sides' parsers, and the file of receipts.

Each raises ``AssertionError`` where something does not hold, and whatever else the code does.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from socketsuite.wire.acks import (
    LONGEST_LINE,
    Ack,
    Data,
    Done,
    End,
    Error,
    Go,
    Held,
    Payload,
    Ping,
    Pong,
    ProtocolError,
    Ready,
    ReplyParser,
    RequestParser,
    Stream,
    Wait,
)
from socketsuite.wire.receipts import HEADER, BadLineError, Key, Leaf, Receipt, locate, read_lines
from tests.fuzz.mutate import cut_anywhere

_MOST = 300
_HASH, _KEY, _SIGNATURE = bytes(range(32)), bytes(32), bytes(64)
_LEAF = Leaf.of("a/b", 0, b"some bytes" * 500)

REQUESTS = [
    Stream("a").encode() + Data(0, 3).encode() + b"abc" + End(3).encode(),
    Stream("a/b ü%").encode() + Data(7, _MOST).encode() + b"x" * _MOST + Ping().encode(),
]
REPLIES = [
    Ready("always", "raw", 1 << 20, 65536, _KEY).encode() + Held("a/ü", 5, _HASH).encode(),
    Ack(7, _HASH, 1, _SIGNATURE).encode() + Done(7, _HASH, 2).encode() + Pong().encode(),
    Wait("disk-full").encode() + Go().encode() + Error("gap", "a b").encode(),
]
RECEIPTS = [
    HEADER + Key(_KEY).encode() + _LEAF.encode() + Receipt("a/b", 5000, _HASH, 1).encode(),
    HEADER + Receipt("c", 1, _HASH, 1, _SIGNATURE).encode(),
]
WORDS = [
    *(b"STREAM ", b"DATA ", b"END ", b"PING\n", b"ACK ", b"DONE ", b"WAIT ", b"GO\n", b"PONG\n"),
    *(b"READY 1 ", b"ERROR ", b"ack ", b"leaf ", b"key ", b"9223372036854775807", b"-1", b"00"),
    *(b"\n", b"\r\n", b" ", b"/", b"..", b"%2F", b"%FF", b"%00", _HASH.hex().encode(), b"="),
    *(b"sync=", b"most=0", b"leaf=65536", b"key=", b"x" * LONGEST_LINE),
]


def ack_requests(data: bytes) -> None:
    """However it is cut, the requests are the same, and payloads are as long as was said."""
    whole, *others = [
        _requests(chunks) for chunks in ([data], cut_anywhere(data), [bytes([b]) for b in data])
    ]
    assert all(other == whole for other in others)


def _requests(chunks: list[bytes]) -> list[Any]:
    parser = RequestParser(_MOST)
    found: list[Any] = []
    left = 0
    for chunk in chunks:
        parser.feed(chunk)
        try:
            while (event := parser.next_event()) is not None:
                if isinstance(event, Payload):
                    assert 0 < len(event.data) <= left
                    left -= len(event.data)
                    assert event.last == (left == 0)
                    found.append(bytes(event.data))
                    continue
                assert left == 0
                found.append(event)
                if isinstance(event, Data):
                    left = event.length
                    assert 0 < left <= _MOST
                else:
                    assert _requests_again(event) == event
        except ProtocolError as error:
            return [*_joined(found), error.code]
        assert parser.pending < LONGEST_LINE
    return _joined(found)


def _joined(found: list[Any]) -> list[Any]:
    joined: list[Any] = []
    for one in found:
        if isinstance(one, bytes) and isinstance(joined[-1], bytes):
            joined[-1] += one
        else:
            joined.append(one)
    return joined


def _requests_again(event: Any) -> Any:
    parser = RequestParser(_MOST)
    before = b"" if isinstance(event, (Stream, Ping)) else b"STREAM x\n"
    parser.feed(before + event.encode())
    if before:
        parser.next_event()
    return parser.next_event()


def ack_replies(data: bytes) -> None:
    """However it is cut, the replies are the same, and the same again when they are written."""
    whole, *others = [
        _replies(chunks) for chunks in ([data], cut_anywhere(data), [bytes([b]) for b in data])
    ]
    assert all(other == whole for other in others)
    written = [one.encode() for one in whole if not isinstance(one, str)]
    assert all(len(one) <= LONGEST_LINE for one in written)
    good = [one for one in whole if not isinstance(one, str)]
    if not any(isinstance(one, Ready) for one in good):  # which may have words that nobody knows
        again = _replies(written)
        assert [_plain(one) for one in again] == [_plain(one) for one in good]


def _plain(reply: Any) -> Any:
    return (reply.code, reply.text.rstrip()) if isinstance(reply, Error) else reply


def _replies(chunks: list[bytes]) -> list[Any]:
    parser = ReplyParser()
    found: list[Any] = []
    for chunk in chunks:
        parser.feed(chunk)
        try:
            while (event := parser.next_event()) is not None:
                found.append(event)
        except ProtocolError as error:
            return [*found, error.code]
        assert parser.pending < LONGEST_LINE
    return found


def receipts(data: bytes) -> None:
    """Every line is one that reads the same again, or is told by its number."""
    numbers = [0]
    for number, line in read_lines(BytesIO(data)):
        assert number >= numbers[-1]
        numbers.append(number)
        if isinstance(line, BadLineError):
            continue
        assert [one for _, one in read_lines(BytesIO(HEADER + line.encode()))] == [line]
        if isinstance(line, Leaf):
            for leaf in (data[: line.length], bytes(line.length)):
                found = locate(leaf, line)
                assert found is None or 0 <= found[0] < found[1] <= line.length
