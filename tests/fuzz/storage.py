"""Targets of what is stored: records, and names of files that peers fill in."""

from __future__ import annotations

from socketsuite.storage.names import Template
from socketsuite.wire.records import Framing, Overlong, RecordFramer, new_framer
from tests.fuzz.mutate import cut_anywhere
from tests.support.hostile_names import check_names

_LIMIT = 9
_TEMPLATE = Template("{peer}/{stream}.rec")


def records(data: bytes) -> None:
    """However it is cut, the records are the same, whole and within the limit, or counted."""
    framings: tuple[Framing, ...] = ("lines", "length")
    ways: tuple[Overlong, ...] = ("drop", "cut")
    for framing in framings:
        for overlong in ways:
            whole, *others = (
                _framed(new_framer(framing, _LIMIT, overlong), chunks)
                for chunks in ([data], [bytes([one]) for one in data], cut_anywhere(data))
            )
            assert others == [whole, whole]


def _framed(framer: RecordFramer, chunks: list[bytes]) -> tuple[list[bytes], int, int, int]:
    pieces: list[bytes] = []
    for number, chunk in enumerate(chunks):
        pieces += map(bytes, framer.feed(memoryview(chunk) if number % 2 else chunk))
        assert framer.pending <= _LIMIT + 4
    pieces += framer.finish()
    found = [record for piece in pieces for record in framer.records(piece)]
    assert all(len(record) <= _LIMIT + 4 for record in found)
    return found, framer.dropped, framer.cut, framer.torn


def file_names(data: bytes) -> None:
    """No two names have one path, and no path leaves its folder or is a sink's own."""
    texts = [
        data.decode("utf-8", way) for way in ("replace", "surrogateescape", "backslashreplace")
    ]
    check_names((one, Template("{stream}").expand(stream=one)) for one in texts)
    path = _TEMPLATE.expand(peer=texts[0], stream=texts[1])
    assert not {"", ".", ".."} & set(path.split("/"))
    assert all(len(one.encode()) <= 230 for one in path.split("/"))
    try:
        template = Template(texts[0])
    except ValueError:
        return
    assert not {"", ".", ".."} & set(template.expand(stream=texts[1]).split("/"))
