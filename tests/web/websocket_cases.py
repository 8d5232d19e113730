"""The behaviours of the Autobahn test suite's cases 1 to 7 and 9, as a table.

Each case is what a client sends, piece by piece, to a server that echoes; and what it hears: the
frames, and the code of the close frame that ends them.  A case that does not end ends by the
client's own close.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.websocket_frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    close_frame,
    frame,
)

Heard = tuple[int, bytes]
NORMAL = close_frame(1000)
MAX_MESSAGE = 1 << 20


@dataclass(frozen=True)
class Case:
    """*code* is what the server's close says; ``None`` for a close without a code."""

    name: str
    sent: list[bytes]
    heard: list[Heard]
    code: int | None = 1000


def octets(data: bytes) -> list[bytes]:
    return [data[n : n + 1] for n in range(len(data))]


def chops(data: bytes, size: int) -> list[bytes]:
    return [data[n : n + size] for n in range(0, len(data), size)]


def framing() -> Iterator[Case]:
    """1: whole messages of every kind of length."""
    for opcode, byte in ((TEXT, b"*"), (BINARY, b"\xfe")):
        for size in (0, 1, 125, 126, 127, 128, 65535, 65536, 70000):
            data = byte * size
            yield Case(f"1-{opcode}-{size}", [frame(opcode, data) + NORMAL], [(opcode, data)])
        sent = chops(frame(opcode, byte * 65536), 9973)
        yield Case(f"1-{opcode}-65536-in-chops", [*sent, NORMAL], [(opcode, byte * 65536)])
        sent = octets(frame(opcode, byte * 130))
        yield Case(f"1-{opcode}-130-in-octets", [*sent, NORMAL], [(opcode, byte * 130)])


def pings() -> Iterator[Case]:
    """2: pings are answered with what they carry, pongs are not."""
    for data in (b"", b"Hello, world!", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125):
        yield Case(f"2-ping-{len(data)}", [frame(PING, data), NORMAL], [(PONG, data)])
    yield Case("2-ping-126", [frame(PING, b"\xfe" * 126)], [], 1002)
    yield Case("2-octets", [*octets(frame(PING, b"\xfe" * 125)), NORMAL], [(PONG, b"\xfe" * 125)])
    for data in (b"", b"unsolicited"):
        yield Case(f"2-pong-{len(data)}", [frame(PONG, data), NORMAL], [])
    sent = [frame(PONG, b"unsolicited"), frame(PING, b"x"), NORMAL]
    yield Case("2-pong-then-ping", sent, [(PONG, b"x")])
    many = b"".join(frame(PING, b"%d" % n) for n in range(10))
    answers = [(PONG, b"%d" % n) for n in range(10)]
    yield Case("2-ten-pings", [many, NORMAL], answers)
    yield Case("2-ten-pings-in-octets", [*octets(many), NORMAL], answers)


def reserved() -> Iterator[Case]:
    """3 and 4: reserved bits and reserved opcodes are refused, wherever they stand."""
    before = frame(TEXT, b"before")
    for rsv in range(1, 8):
        yield Case(f"3-rsv-{rsv}-text", [frame(TEXT, b"x", rsv=rsv)], [], 1002)
        sent = [before + frame(TEXT, b"x", rsv=rsv) + frame(PING)]
        yield Case(f"3-rsv-{rsv}-after-text", sent, [(TEXT, b"before")], 1002)
        sent = [before, *octets(frame(BINARY, b"x" * 9, rsv=rsv)[:2])]
        yield Case(f"3-rsv-{rsv}-at-once", sent, [(TEXT, b"before")], 1002)
        for opcode in (PING, CLOSE):
            yield Case(f"3-rsv-{rsv}-{opcode}", [frame(opcode, rsv=rsv)], [], 1002)
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        yield Case(f"4-{opcode}", [frame(opcode)], [], 1002)
        yield Case(f"4-{opcode}-payload", [before, frame(opcode, b"xy")], [(TEXT, b"before")], 1002)
        sent = [before + frame(opcode, b"xy") + frame(PING)]
        yield Case(f"4-{opcode}-then-ping", sent, [(TEXT, b"before")], 1002)


def fragments() -> Iterator[Case]:
    """5: messages in fragments, with control frames in between, and wrong orders."""
    for opcode in (PING, PONG):
        sent = [frame(opcode, b"one", fin=False) + frame(0, b"two")]
        yield Case(f"5-control-{opcode}", sent, [], 1002)
    for opcode in (TEXT, BINARY):
        parts = [frame(opcode, b"frag1", fin=False), frame(0, b"frag2")]
        whole = [(opcode, b"frag1frag2")]
        yield Case(f"5-{opcode}-together", [b"".join(parts), NORMAL], whole)
        yield Case(f"5-{opcode}-apart", [*parts, NORMAL], whole)
        yield Case(f"5-{opcode}-octets", [*octets(b"".join(parts)), NORMAL], whole)
        ping = frame(PING, b"ping")
        sent = [parts[0], ping, parts[1], NORMAL]
        yield Case(f"5-{opcode}-ping-between", sent, [(PONG, b"ping"), *whole])
        sent = octets(parts[0] + ping + parts[1])
        yield Case(f"5-{opcode}-ping-between-octets", [*sent, NORMAL], [(PONG, b"ping"), *whole])
        empty = [frame(opcode, fin=False), frame(0, fin=False), frame(0)]
        yield Case(f"5-{opcode}-empty", [*empty, NORMAL], [(opcode, b"")])
        empty = [frame(opcode, fin=False), frame(0, b"middle", fin=False), frame(0)]
        yield Case(f"5-{opcode}-empty-ends", [*empty, NORMAL], [(opcode, b"middle")])
        many = [frame(opcode, b"1", fin=False)]
        many += [frame(0, b"%d" % (n % 10), fin=False) for n in range(2, 11)] + [frame(0, b"!")]
        sent = [each for part in many for each in (part, frame(PING, b"p"))]
        heard = [(PONG, b"p")] * 10 + [(opcode, b"1234567890!"), (PONG, b"p")]
        yield Case(f"5-{opcode}-many-pings", [*sent, NORMAL], heard)
        for fin in (True, False):
            alone = [frame(0, b"no start", fin=fin), frame(opcode, b"x")]
            yield Case(f"5-{opcode}-no-start-{fin}", [b"".join(alone)], [], 1002)
            after = b"".join((*parts, frame(0, b"again", fin=fin)))
            yield Case(f"5-{opcode}-after-the-end-{fin}", [after], whole, 1002)
            within = [parts[0], frame(opcode, b"within", fin=fin)]
            yield Case(f"5-{opcode}-within-{fin}", within, [], 1002)
    yield Case("5-close-between", [frame(TEXT, b"x", fin=False), NORMAL], [])


def lengths_and_masks() -> Iterator[Case]:
    """Lengths are written as short as can be, and a client masks (RFC 6455, 5.1 and 5.2)."""
    for opcode in (TEXT, BINARY, PING, CLOSE, 0):
        yield Case(f"mask-{opcode}", [frame(opcode, mask=None)], [], 1002)
    yield Case(
        "mask-of-nothing", [frame(TEXT, b"Hello", mask=b"\0\0\0\0"), NORMAL], [(TEXT, b"Hello")]
    )
    yield Case("length-125-in-2", [frame(TEXT, b"x" * 125, long=2)], [], 1002)
    yield Case("length-126-in-8", [frame(TEXT, b"x" * 126, long=8)], [], 1002)
    yield Case("length-with-its-first-bit", [b"\x82\xff" + b"\xff" * 8], [], 1002)
    yield Case("length-of-4-GiB", [b"\x82\xff" + struct.pack("!Q", 1 << 32) + b"abcd"], [], 1009)


def large() -> Iterator[Case]:
    """9: large messages, whole, in fragments and in chops; and those that are too large."""
    for opcode, byte in ((TEXT, b"*"), (BINARY, b"\xfe")):
        data = byte * MAX_MESSAGE
        yield Case(f"9-{opcode}-whole", [frame(opcode, data), NORMAL], [(opcode, data)])
        parts = chops(data, 65536)
        sent = b"".join(
            frame(opcode if n == 0 else 0, part, fin=n == len(parts) - 1)
            for n, part in enumerate(parts)
        )
        yield Case(f"9-{opcode}-fragments", [sent, NORMAL], [(opcode, data)])
        sent = chops(frame(opcode, data[: 1 << 16]), 1024)  # type: ignore[assignment]
        yield Case(f"9-{opcode}-chops", [*sent, NORMAL], [(opcode, data[: 1 << 16])])
        yield Case(f"9-{opcode}-too-big", [frame(opcode, data + b"*")[:100]], [], 1009)
        sent = frame(opcode, data, fin=False) + frame(0, b"*")
        yield Case(f"9-{opcode}-too-big-in-fragments", [sent], [], 1009)
    nothing = frame(TEXT, fin=False) + frame(0, fin=False) * 1024
    yield Case("9-too-many-fragments", [nothing], [], 1009)


def closes() -> Iterator[Case]:
    """7: the closing handshake, its codes and its reasons."""
    yield Case("7-nothing-before", [NORMAL], [])
    yield Case("7-no-code", [frame(CLOSE)], [], None)
    yield Case("7-half-a-code", [frame(CLOSE, b"\x03")], [], 1002)
    yield Case("7-reason", [close_frame(1000, b"Hello World!")], [])
    yield Case("7-longest-reason", [close_frame(1000, b"*" * 123)], [])
    yield Case("7-reason-too-long", [close_frame(1000, b"*" * 124)], [], 1002)
    yield Case("7-reason-not-utf8", [close_frame(1000, b"\xce\xba\xed\xa0\x80")], [], 1007)
    yield Case("7-octets", octets(close_frame(1000, "Bis später".encode())), [])
    for what in (frame(TEXT, b"late"), frame(PING), NORMAL, b"\xff" * 50):
        yield Case(f"7-behind-{what[:1].hex()}", [NORMAL + what], [])
    for code in (*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999):
        yield Case(f"7-code-{code}", [close_frame(code)], [], code)
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
        yield Case(f"7-code-{code}", [close_frame(code)], [], 1002)
