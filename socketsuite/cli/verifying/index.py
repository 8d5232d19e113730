"""The receipts of a file by stream and offset, in a database that is gone with the command.

A file of receipts may be large, in any order, and made up: the memory that it takes is bounded, and
what contradicts itself is kept as it is.  This module must not know of the streams' bytes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from socketsuite.transport.dial.failed import Failed, os_cause
from socketsuite.wire.acks import signed_text
from socketsuite.wire.merkle import LEAF, LeafTree
from socketsuite.wire.receipts import BadLineError, Key, Leaf, Receipt, read_lines

_MOST_TOLD = 20
_MOST_LINES_OF_A_LEAF = 1000
_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE acks (stream INT, at INT, hash BLOB, line INT, UNIQUE (stream, at, hash));
CREATE TABLE leaves (
    stream INT, number INT, length INT, hash BLOB, locators BLOB,
    UNIQUE (stream, number, length, hash)
);
"""


@dataclass
class Problems:
    """What is wrong with the file of receipts itself; the first of it in words."""

    count: int = 0
    told: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Note one more."""
        self.count += 1
        if len(self.told) < _MOST_TOLD:
            self.told.append(text)


@dataclass(frozen=True)
class Acknowledged:
    """What receipts say of one offset.

    :ivar hashes: each hash that some receipt has, with the number of its line; more than one is a
        contradiction.
    """

    offset: int
    hashes: dict[bytes, int]


class ReceiptIndex:
    """Everything that stands in a file of receipts.

    :param pinned: the key that all receipts must be signed by.
    :ivar problems: of the file itself.
    :ivar signed: how many receipts are signed, of *receipts*.
    :raises Failed: when the file cannot be read.
    """

    def __init__(self, path: Path, pinned: bytes | None) -> None:
        self._database = sqlite3.connect("")  # a file that the system deletes when it is closed
        self._database.executescript(_SCHEMA)
        self._ids: dict[str, int] = {}
        self._pinned = pinned
        self.problems = Problems()
        self.receipts = self.signed = 0
        try:
            with path.open("rb") as file:
                self._load(path, file)
        except OSError as error:
            raise Failed(f"cannot read {path}: {os_cause(error)}", "input") from None
        except sqlite3.Error as error:  # a folder for temporary files that is full, say
            raise Failed(f"cannot sort {path}: {error}") from None

    def _load(self, path: Path, file: IO[bytes]) -> None:
        key = self._pinned
        for number, line in read_lines(file):
            match line:
                case BadLineError():
                    self.problems.add(f"{path}:{number}: {line}")
                case Key():
                    if self._pinned is None:
                        key = line.key
                    elif line.key != self._pinned:
                        self.problems.add(f"{path}:{number}: another key than that of --key")
                case Leaf():
                    row = (self._id(line.stream), line.index, line.length, line.hash, line.locators)
                    self._insert("leaves", row)
                case Receipt():
                    self._add(f"{path}:{number}", number, line, key)

    def _add(self, where: str, number: int, receipt: Receipt, key: bytes | None) -> None:
        self.receipts += 1
        self.signed += receipt.signature is not None
        self._insert("acks", (self._id(receipt.stream), receipt.offset, receipt.hash, number))
        if receipt.signature is None:
            if self._pinned is not None:
                self.problems.add(f"{where}: the receipt is not signed")
        elif key is None:
            self.problems.add(f"{where}: the receipt is signed, and there is no key")
        elif not _is_signed(key, receipt):
            self.problems.add(f"{where}: the receipt's signature is wrong")

    def _id(self, stream: str) -> int:
        found = self._ids.get(stream)
        if found is None:
            if len(self._ids) > 10_000:
                self._ids.clear()
            self._database.execute("INSERT OR IGNORE INTO streams (name) VALUES (?)", (stream,))
            (found,) = self._database.execute(
                "SELECT id FROM streams WHERE name = ?", (stream,)
            ).fetchone()
            self._ids[stream] = found
        return found

    def _insert(self, table: str, row: tuple[object, ...]) -> None:
        holes = ", ".join("?" * len(row))
        self._database.execute(f"INSERT OR IGNORE INTO {table} VALUES ({holes})", row)

    def streams(self) -> Iterator[str]:
        """Yield the streams that there are receipts of."""
        rows = self._database.execute(
            "SELECT name FROM streams WHERE id IN (SELECT stream FROM acks) ORDER BY id"
        )
        yield from (name for (name,) in rows)

    def has(self, stream: str) -> bool:
        """Whether there are receipts of *stream*."""
        return any(True for _ in self.acknowledged(stream))

    def last(self, stream: str) -> int:
        """Return how many bytes of *stream* were acknowledged."""
        row = self._database.execute(
            "SELECT max(at) FROM acks WHERE stream = ?", (self._id(stream),)
        ).fetchone()
        return int(row[0] or 0)

    def acknowledged(self, stream: str) -> Iterator[Acknowledged]:
        """Yield what the receipts of *stream* say, by offset."""
        rows = self._database.execute(
            "SELECT at, hash, line FROM acks WHERE stream = ? ORDER BY at", (self._id(stream),)
        )
        for offset, same in groupby(rows, lambda row: int(row[0])):
            yield Acknowledged(offset, {digest: line for _, digest, line in same})

    def leaves(self, stream: str, number: int, length: int | None = None) -> list[Leaf]:
        """Return what is said of one leaf, the longest first; or of its first *length* bytes."""
        rows = self._database.execute(
            "SELECT length, hash, locators FROM leaves WHERE stream = ? AND number = ?"
            f" AND length = ifnull(?, length) ORDER BY length DESC LIMIT {_MOST_LINES_OF_A_LEAF}",
            (self._id(stream), number, length),
        )
        return [Leaf(stream, number, *row) for row in rows]

    def proves_leaf(self, stream: str, number: int) -> bool:
        """Whether a receipt proves what the lines say of leaf *number* and of those before it."""
        return any(end > number * LEAF for end, _ in self.proven_ends(stream))

    def proven_ends(self, stream: str) -> Iterator[tuple[int, bytes]]:
        """Yield each offset whose receipt has the hash that the lines of leaves come to.

        Beside it the hash of the last of them, which need not be of a whole leaf.
        """
        rows = self._database.execute(
            "SELECT number, length, hash FROM leaves WHERE stream = ? ORDER BY number, length",
            (self._id(stream),),
        )
        tree = LeafTree()
        for index, same in groupby(rows, lambda row: int(row[0])):
            lines = [(length, digest) for _, length, digest in same]
            if index != tree.leaves:
                return
            for length, digest in lines:
                end = index * LEAF + length
                if self._is_acknowledged(stream, end, tree.root(digest)):
                    yield end, digest
            whole = [digest for length, digest in lines if length == LEAF]
            if len(whole) != 1:
                return
            tree.push(whole[0])

    def _is_acknowledged(self, stream: str, offset: int, digest: bytes) -> bool:
        row = (self._id(stream), offset, digest)
        query = "SELECT 1 FROM acks WHERE stream = ? AND at = ? AND hash = ?"
        return self._database.execute(query, row).fetchone() is not None

    def close(self) -> None:
        """Delete the database."""
        self._database.close()


def _is_signed(key: bytes, receipt: Receipt) -> bool:
    text = signed_text(receipt.stream, receipt.offset, receipt.hash, receipt.time)
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(receipt.signature or b"", text)
    except (InvalidSignature, ValueError):
        return False
    return True
