"""Streams against their receipts: what holds, what differs where, what contradicts itself."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socketsuite.cli.verifying import locating
from socketsuite.cli.verifying.checking import Check, Place, Verdict
from socketsuite.cli.verifying.index import ReceiptIndex
from socketsuite.cli.verifying.locating import Difference, by_leaves, by_original
from socketsuite.cli.verifying.remainder import check_remainder
from socketsuite.storage.reading import open_stream
from socketsuite.transport.dial.failed import Failed
from socketsuite.wire.acks import signed_text
from socketsuite.wire.merkle import LEAF, TreeHash
from socketsuite.wire.receipts import BLOCK, HEADER, Key, Leaf, Receipt

DATA = random.Random(5).randbytes(3 * LEAF + 1000)
ENDS = [0, 100, LEAF, LEAF + 5000, 2 * LEAF + 1, len(DATA)]


def root(data: bytes) -> bytes:
    tree = TreeHash()
    tree.feed(data)
    return tree.root()


def receipt(end: int, data: bytes = DATA, stream: str = "s") -> bytes:
    return Receipt(stream, end, root(data[:end]), 1).encode()


def leaf_lines(data: bytes = DATA, stream: str = "s") -> list[bytes]:
    starts = range(0, len(data), LEAF)
    return [Leaf.of(stream, at // LEAF, data[at : at + LEAF]).encode() for at in starts]


class Bench:
    """A folder with a stored file and receipts, and what is found out about them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "stored"
        self.receipts = folder / "receipts"
        self.keep(*map(receipt, ENDS), *leaf_lines())
        self.file.write_bytes(DATA)

    def keep(self, *lines: bytes) -> None:
        self.receipts.write_bytes(HEADER + b"".join(lines))

    def store(self, changes: dict[int, bytes], size: int = len(DATA)) -> None:
        data = bytearray(DATA)
        for at, value in changes.items():
            data[at : at + len(value)] = value
        self.file.write_bytes(data[:size])

    def index(self, pinned: bytes | None = None) -> ReceiptIndex:
        return ReceiptIndex(self.receipts, pinned)

    def verdict(self) -> Verdict:
        index = self.index()
        check = Check("s", index.acknowledged("s"), lambda _: None)
        found = check.run(open_stream(self.file, "s"))
        index.close()
        return found

    def difference(self) -> Difference:
        verdict = self.verdict()
        assert verdict.differs is not None
        index = self.index()
        found = by_leaves(open_stream(self.file, "s"), index, "s", *verdict.differs)
        index.close()
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def flipped(at: int) -> dict[int, bytes]:
    return {at: bytes([DATA[at] ^ 1])}


def test_what_is_as_acknowledged_holds_whatever_the_order_of_its_receipts(bench: Bench) -> None:
    whole = bench.verdict()
    assert (whole.ok, whole.proven, whole.held, whole.receipts) == (True, len(DATA), 6, 6)
    bench.keep(*map(receipt, reversed(ENDS)), *map(receipt, ENDS))
    assert bench.verdict() == whole
    bench.keep(receipt(100))
    part = bench.verdict()
    assert (part.ok, part.proven, part.size) == (True, 100, len(DATA))


@pytest.mark.parametrize("at", [0, 99, 100, LEAF - 1, LEAF, LEAF + 5000, len(DATA) - 1])
def test_one_byte_that_differs_is_named_by_the_leaves(bench: Bench, at: int) -> None:
    bench.store(flipped(at))
    assert bench.difference() == Difference(at, at + 1, Place(bench.file, at), "leaves")
    assert bench.verdict().proven == max(end for end in ENDS if end <= at)


def test_several_bytes_of_a_block_are_named_as_the_block_behind_what_is_proven(
    bench: Bench,
) -> None:
    bench.store({LEAF + 5001: bytes(50)})
    start = LEAF + 5000
    end = LEAF + 2 * BLOCK
    assert bench.difference() == Difference(start, end, Place(bench.file, start), "leaves")


def test_without_lines_of_leaves_it_lies_between_two_receipts(bench: Bench) -> None:
    bench.keep(*map(receipt, ENDS), leaf_lines()[0])
    at = 2 * LEAF
    bench.store(flipped(at))
    start = LEAF + 5000
    place = Place(bench.file, start)
    assert bench.difference() == Difference(start, 2 * LEAF + 1, place, "receipts")


def test_lines_of_leaves_that_no_receipt_proves_are_said_to_be_so(bench: Bench) -> None:
    lines = leaf_lines()
    lines[0] = leaf_lines(bytes(len(DATA)))[0]
    bench.keep(*map(receipt, ENDS), *lines)
    bench.store(flipped(2 * LEAF))
    assert bench.difference().evidence == "unproven-leaves"
    bench.store({})
    assert bench.verdict().ok


def test_an_original_names_the_byte_and_one_of_something_else_does_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locating, "_READ", 1000)
    bench.keep(*map(receipt, ENDS))
    at = 2 * LEAF - 7
    bench.store({**flipped(at), at + 1: bytes(500)})
    original = bench.folder / "original"
    original.write_bytes(DATA + b"grown")
    end = 2 * LEAF + 1

    def found() -> Difference | None:
        reader = open_stream(bench.file, "s")
        return by_original(reader, original, LEAF + 5000, {root(DATA[:end]): 1}, end)

    assert found() == Difference(at, at + 1, Place(bench.file, at), "original")
    original.write_bytes(DATA[:end])
    assert found() == Difference(at, at + 1, Place(bench.file, at), "original")
    original.write_bytes(DATA[: end - 1])
    assert found() is None


def test_a_file_cut_short_is_told_by_where_it_ends(bench: Bench) -> None:
    bench.store({}, size=LEAF + 6000)
    found = bench.verdict()
    assert (found.ok, found.differs, found.proven) == (False, None, LEAF + 5000)
    assert found.end == Place(bench.file, LEAF + 6000)
    assert found.missing == len(DATA) - LEAF - 6000
    assert (found.held, found.receipts) == (4, 6)


def test_a_place_is_one_in_the_closed_segment_that_holds_it(bench: Bench) -> None:
    bench.store(flipped(2 * LEAF + 5))
    stored = bench.file.read_bytes()
    cut, second = LEAF + 3, 2 * LEAF + 900
    (bench.folder / "stored~000001").write_bytes(stored[:cut])
    compressed = bench.folder / "stored~000002.gz"
    compressed.write_bytes(gzip.compress(stored[cut:second]))
    bench.file.write_bytes(stored[second:])
    at = 2 * LEAF + 5
    assert bench.difference() == Difference(at, at + 1, Place(compressed, at - cut), "leaves")
    compressed.write_bytes(compressed.read_bytes()[:2000])
    broken = bench.verdict()
    assert broken.trouble is not None
    assert str(compressed) in broken.trouble
    assert not broken.ok


def test_receipts_that_contradict_one_another_are_told_by_their_lines(bench: Bench) -> None:
    other = bytes(len(DATA))
    bench.keep(receipt(100), receipt(LEAF, other), receipt(100, other), receipt(len(DATA)))
    found = bench.verdict()
    assert found.contradictions == [
        "lines 2, 4 say different things of 100 bytes",
        "line 3 says of 65,536 bytes what line 5 says is not so",
    ]
    assert (found.ok, found.differs, found.proven) == (False, None, len(DATA))


class Rest:
    """A reader of a stream whose first bytes are deleted."""

    def __init__(self, first: int, data: bytes = DATA) -> None:
        self.first = first
        self._data = data

    def chunks(self) -> Iterator[tuple[bytes, Path, int]]:
        for at in range(self.first, len(self._data), 50_000):
            yield self._data[at : at + 50_000], Path("rest"), at - self.first


def remainder(bench: Bench, reader: Any) -> tuple[Verdict, Difference | None]:
    index = bench.index()
    advanced: list[int] = []
    verdict, found = check_remainder(reader, index, "s", advanced.append)
    index.close()
    assert sum(advanced) == max(0, verdict.size - -(-reader.first // LEAF) * LEAF)
    return verdict, found


@pytest.mark.parametrize("first", [1, LEAF, LEAF + 1, 3 * LEAF, len(DATA)])
def test_what_is_left_after_the_first_bytes_were_deleted_is_proven_by_the_leaves(
    bench: Bench, first: int
) -> None:
    verdict, found = remainder(bench, Rest(first))
    assert found is None
    assert (verdict.ok, verdict.gone, verdict.missing) == (False, first, 0)
    whole = -(-first // LEAF) * LEAF
    assert verdict.proven == (len(DATA) if whole < len(DATA) else 0)
    if whole < len(DATA):
        assert (verdict.size, verdict.end) == (len(DATA), Place(Path("rest"), len(DATA) - first))


@pytest.mark.parametrize("at", [LEAF, 2 * LEAF - 1, 2 * LEAF, len(DATA) - 1])
def test_of_what_is_left_the_first_byte_that_differs_is_named(bench: Bench, at: int) -> None:
    changed = bytearray(DATA)
    changed[at] ^= 1
    verdict, found = remainder(bench, Rest(5, bytes(changed)))
    assert found == Difference(at, at + 1, Place(Path("rest"), at - 5), "leaves")
    assert verdict.proven == (at // LEAF * LEAF if at >= 2 * LEAF else 0)
    assert verdict.held < 6


def test_what_is_left_is_not_proven_without_the_lines_of_leaves(bench: Bench) -> None:
    bench.keep(*map(receipt, ENDS), *leaf_lines()[1:])
    verdict, found = remainder(bench, Rest(5))
    assert (found, verdict.proven, verdict.held) == (None, 0, 0)
    bench.keep(*map(receipt, ENDS), *leaf_lines())
    verdict, _ = remainder(bench, Rest(5, DATA[: LEAF + 7000]))
    assert verdict.missing == len(DATA) - LEAF - 7000
    assert verdict.proven == 0
    twice = leaf_lines(DATA[:-1] + b"?")[-1]
    bench.keep(*map(receipt, ENDS), *leaf_lines(), twice)
    verdict, found = remainder(bench, Rest(5))
    assert (found, verdict.proven) == (None, len(DATA))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.data())
def test_any_one_byte_is_named_within_its_leaf_whatever_receipts_there_are(
    bench: Bench, data: st.DataObject
) -> None:
    ends = data.draw(st.lists(st.integers(0, len(DATA)), max_size=4))
    at = data.draw(st.integers(0, len(DATA) - 1))
    bench.keep(*map(receipt, [*ends, len(DATA)]), *leaf_lines())
    bench.store({at: bytes([DATA[at] ^ data.draw(st.integers(1, 255))])})
    found = bench.difference()
    assert (found.start, found.end, found.evidence) == (at, at + 1, "leaves")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_whatever_was_changed_the_first_difference_is_where_it_is_said_to_be(
    bench: Bench, data: st.DataObject
) -> None:
    ends = data.draw(st.lists(st.integers(0, len(DATA)), max_size=4))
    lines = data.draw(st.lists(st.sampled_from(leaf_lines()), unique=True))
    places = st.tuples(st.integers(0, len(DATA) - 1), st.binary(min_size=1, max_size=9000))
    bench.keep(*map(receipt, [*ends, len(DATA)]), *lines)
    bench.store(dict(data.draw(st.lists(places, min_size=1, max_size=3))))
    stored = bench.file.read_bytes()
    size = min(len(stored), len(DATA))
    first = next((at for at in range(size) if stored[at] != DATA[at]), None)
    if first is None:
        assert bench.verdict().differs is None
        return
    found = bench.difference()
    assert found.start <= first < found.end
    assert found.place == Place(bench.file, found.start)
    assert bench.verdict().proven <= found.start
    if found.evidence == "leaves":
        assert found.end - found.start <= BLOCK


KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = KEY.public_key().public_bytes_raw()


def signed(end: int, key: Ed25519PrivateKey = KEY) -> bytes:
    digest = root(DATA[:end])
    return Receipt("s", end, digest, 1, key.sign(signed_text("s", end, digest, 1))).encode()


OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"1" * 32)


@pytest.mark.parametrize(
    ("lines", "is_pinned", "problem"),
    [
        ([Key(PUBLIC).encode(), signed(5)], False, None),
        ([Key(PUBLIC).encode(), signed(5)], True, None),
        ([signed(5)], True, None),
        ([signed(5)], False, "there is no key"),
        ([signed(5, OTHER_KEY)], True, "signature is wrong"),
        ([Key(PUBLIC).encode(), signed(5, OTHER_KEY)], False, "signature is wrong"),
        ([Key(bytes(32)).encode(), signed(5)], True, "another key than that of --key"),
        ([Key(bytes(32)).encode(), signed(5)], False, "signature is wrong"),
        ([receipt(5)], True, "not signed"),
        ([b"nonsense\n", receipt(5)], False, "no line of a file of receipts"),
    ],
)
def test_signatures_are_by_the_pinned_key_or_by_that_of_the_file(
    bench: Bench, lines: list[bytes], is_pinned: bool, problem: str | None
) -> None:
    bench.keep(*lines)
    index = bench.index(PUBLIC if is_pinned else None)
    told = index.problems.told
    if problem is None:
        assert told == []
        assert (index.receipts, index.signed) == (1, 1)
    else:
        assert index.problems.count == len(told) == 1
        assert problem in told[0]
        assert told[0].startswith(f"{bench.receipts}:")
    index.close()


def test_problems_without_number_are_counted_and_the_first_are_told(bench: Bench) -> None:
    bench.keep(*[b"nonsense\n"] * 1000)
    problems = bench.index().problems
    assert problems.count == 1000
    assert len(problems.told) == 20


def test_a_file_of_receipts_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="cannot read"):
        ReceiptIndex(tmp_path, None)


def test_the_streams_are_those_that_have_receipts(bench: Bench) -> None:
    bench.keep(receipt(1, stream="b"), *leaf_lines(stream="c"), receipt(2, stream="a"))
    index = bench.index()
    assert list(index.streams()) == ["b", "a"]
    has: Callable[[str], bool] = index.has
    assert (has("a"), has("c"), has("d"), index.last("a")) == (True, False, False, 2)
    index.close()
