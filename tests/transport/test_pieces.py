"""Many small pieces cost no more memory than their bytes."""

from __future__ import annotations

import sys

from socketsuite.transport.pieces import join_tail


def test_many_small_pieces_become_few_and_nothing_is_lost() -> None:
    pieces: list[bytes] = []
    wanted, joined = b"", 0
    for number in range(20_000):
        pieces.append(b"%d," % number)
        wanted += pieces[-1]
        joined = join_tail(pieces, joined)
    assert b"".join(pieces) == wanted
    assert len(pieces) < 20_000 / 100
    assert sum(map(sys.getsizeof, pieces)) < 1.3 * len(wanted)


def test_each_byte_is_copied_once() -> None:
    pieces: list[bytes] = []
    joined = 0
    for _ in range(10_000):
        pieces.append(b"x")
        before = pieces[0]
        joined = join_tail(pieces, joined)
        assert joined <= 1 or pieces[0] is before


def test_what_has_been_sent_meanwhile_is_forgotten() -> None:
    pieces = [b"a"] * 300
    joined = join_tail(pieces, 0)
    assert (joined, pieces) == (1, [b"a" * 300])
    pieces = [b"b"] * 10
    assert join_tail(pieces[:0], joined) == 0
