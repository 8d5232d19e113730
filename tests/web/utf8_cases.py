"""Texts and what is none, for case 6 of the table: UTF-8 at every byte and every border."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.websocket_frames import PING, PONG, TEXT, frame
from tests.web.websocket_cases import NORMAL, Case, octets

KOSME = "κόσμε".encode()
# The last and the first of each length, the ends of the surrogates, the last of all.
VALID = [
    b"",
    KOSME,
    *(
        chr(point).encode()
        for point in (0x00, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0xFFFE, 0xFFFF)
    ),
    *(chr(point).encode() for point in (0x10000, 0x1FFFE, 0x10FFFE, 0x10FFFF)),
    "Hello-µ@ßöäüàá-UTF-8!!".encode(),
]
# Valid up to the last byte but one; with the last it cannot become a text any more.
INVALID = [
    b"\x80",
    b"\xbf",
    b"\xc0",
    b"\xc1",
    b"\xf5",
    b"\xfe",
    b"\xff",
    b"\xc2\x20",
    b"\xdf\xc0",
    b"\xe0\x80",  # longer than need be
    b"\xe0\x9f",
    b"\xe1\x80\x20",
    b"\xed\xa0",  # surrogates
    b"\xed\xbf",
    b"\xef\xbf\x20",
    b"\xf0\x80",
    b"\xf0\x8f",
    b"\xf0\x90\x80\x20",
    b"\xf4\x90",  # beyond the last
    b"\xf4\x8f\xbf\xc0",
]
# Begun and not finished: only the end of the message makes them wrong.
UNFINISHED = [b"\xc2", b"\xe1\x80", b"\xf4\x8f\xbf"]


def in_fragments(data: bytes) -> bytes:
    """Return *data* in a frame for each byte."""
    parts = octets(data) or [b""]
    return b"".join(
        frame(TEXT if n == 0 else 0, part, fin=n == len(parts) - 1) for n, part in enumerate(parts)
    )


def texts() -> Iterator[Case]:
    for data in VALID:
        name, whole = data.hex()[:24], [(TEXT, data)]
        yield Case(f"6-{name}-whole", [frame(TEXT, data) + NORMAL], whole)
        yield Case(f"6-{name}-fragments", [in_fragments(data) + NORMAL], whole)
        yield Case(f"6-{name}-octets", [*octets(frame(TEXT, data)), NORMAL], whole)
    for data in INVALID:
        name, data = data.hex(), KOSME + data
        yield Case(f"6-bad-{name}-whole", [frame(TEXT, data + b"edited")], [], 1007)
        # At once: neither its frame nor its message is complete.
        sent = frame(TEXT, data + b"edited")[: -len(b"edited")]
        yield Case(f"6-bad-{name}-in-a-frame", [sent[:-1], sent[-1:]], [], 1007)
        sent = frame(TEXT, data[:-1], fin=False) + frame(0, data[-1:], fin=False)
        yield Case(f"6-bad-{name}-fragments", [sent], [], 1007)
        # And not before: what is between is answered.
        between = [frame(TEXT, data[:-1], fin=False), frame(PING), frame(0, data[-1:], fin=False)]
        yield Case(f"6-bad-{name}-not-before", between, [(PONG, b"")], 1007)
    for data in UNFINISHED:
        name, data = data.hex(), KOSME + data
        yield Case(f"6-short-{name}", [frame(TEXT, data)], [], 1007)
        yield Case(f"6-short-{name}-fragments", [in_fragments(data)], [], 1007)
        begun = [frame(TEXT, data, fin=False), frame(PING), frame(0)]
        yield Case(f"6-short-{name}-at-its-end", begun, [(PONG, b"")], 1007)
