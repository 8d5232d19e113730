"""Holds one stream's bytes against its receipts.

The bytes are read once, from the first to the last.  This module must not know how a difference
between two receipts is narrowed down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from socketsuite.cli.verifying.index import Acknowledged
from socketsuite.storage.reading import StorageError, StreamReader
from socketsuite.wire.merkle import TreeHash

_MOST_TOLD = 20


@dataclass(frozen=True)
class Place:
    """Where a byte of a stream lies: the file, and the offset in what it holds uncompressed."""

    file: Path
    at: int

    def __str__(self) -> str:
        return f"{self.file} byte {self.at:,}"


@dataclass
class Verdict:
    """What became of one stream.

    :ivar size: bytes that there are of it.
    :ivar receipts: offsets that receipts are for; *held* of them hold.
    :ivar proven: up to where the bytes are those that were acknowledged.
    :ivar differs: between which offsets the first difference is: the end of what is proven, and the
        first receipt that does not hold.
    :ivar missing: bytes that were acknowledged and are not there.
    :ivar end: where the bytes end.
    :ivar contradictions: sentences on receipts that cannot all be right.
    :ivar gone: so many first bytes are deleted; nothing is known of them.
    :ivar trouble: why the bytes could not be read to their end.
    """

    stream: str
    size: int = 0
    receipts: int = 0
    held: int = 0
    proven: int = 0
    differs: tuple[int, int] | None = None
    missing: int = 0
    end: Place | None = None
    contradictions: list[str] = field(default_factory=list)
    gone: int = 0
    trouble: str | None = None

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        wrong = self.differs or self.missing or self.contradictions or self.gone or self.trouble
        return not wrong


class Check:
    """One stream's bytes on their way past its receipts.

    :param advanced: is told of bytes that were read.
    """

    def __init__(
        self, stream: str, receipts: Iterator[Acknowledged], advanced: Callable[[int], None]
    ) -> None:
        self.verdict = Verdict(stream)
        self._receipts = receipts
        self._advanced = advanced
        self._tree = TreeHash()
        self._next = next(receipts, None)
        self._failed: list[Acknowledged] = []

    def run(self, reader: StreamReader) -> Verdict:
        """Read everything, and judge."""
        verdict = self.verdict
        self._compare()
        try:
            for data, path, at in reader.chunks():
                self._feed(memoryview(data))
                verdict.end = Place(path, at + len(data))
                self._advanced(len(data))
        except StorageError as error:
            verdict.trouble = str(error)
        verdict.size = self._tree.size
        while self._next is not None:
            verdict.receipts += 1
            verdict.missing = self._next.offset - verdict.size
            self._next = next(self._receipts, None)
        return verdict

    def _feed(self, data: memoryview) -> None:
        while data:
            if self._next is None:
                self._tree.feed(data)
                return
            count = min(len(data), self._next.offset - self._tree.size)
            self._tree.feed(data[:count])
            data = data[count:]
            self._compare()

    def _compare(self) -> None:
        """Judge the receipts whose offset is reached."""
        while self._next is not None and self._next.offset == self._tree.size:
            self._judge(self._next, self._tree.root())
            self._next = next(self._receipts, None)

    def _judge(self, said: Acknowledged, root: bytes) -> None:
        verdict = self.verdict
        verdict.receipts += 1
        if len(said.hashes) > 1:
            lines = ", ".join(str(line) for line in sorted(said.hashes.values()))
            self._contradiction(f"lines {lines} say different things of {said.offset:,} bytes")
        if root not in said.hashes:
            if verdict.differs is None:
                verdict.differs = (verdict.proven, said.offset)
            self._failed = [*self._failed[-_MOST_TOLD:], said]
            return
        # A prefix that holds takes in every shorter one: what failed before was of other bytes.
        for wrong in self._failed:
            (line, *_), (right, *_) = wrong.hashes.values(), said.hashes.values()
            self._contradiction(
                f"line {line} says of {wrong.offset:,} bytes what line {right} says is not so"
            )
        self._failed.clear()
        verdict.held += 1
        verdict.differs = None
        verdict.proven = said.offset

    def _contradiction(self, text: str) -> None:
        if len(self.verdict.contradictions) < _MOST_TOLD:
            self.verdict.contradictions.append(text)
