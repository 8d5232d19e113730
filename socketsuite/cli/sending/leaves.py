"""The tree hash of what is sent, and the lines about its leaves for a file of receipts.

This module must not know where the bytes come from, nor where the lines go.
"""

from __future__ import annotations

from collections.abc import Callable

from socketsuite.wire.merkle import LEAF, LeafTree, leaf_hash
from socketsuite.wire.receipts import Leaf, locators


class HashedStream:
    """A stream's tree hash, up to where it was fed.

    :param record: is given each leaf that is full; ``None`` where nobody wants to know.
    """

    def __init__(self, stream: str, record: Callable[[Leaf], None] | None) -> None:
        self._stream = stream
        self._record = record
        self._tree = LeafTree()
        self._leaf = bytearray()

    @property
    def size(self) -> int:
        """How many bytes were fed."""
        return self._tree.leaves * LEAF + len(self._leaf)

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        view = memoryview(data)
        while view:
            room = LEAF - len(self._leaf)
            self._leaf += view[:room]
            view = view[room:]
            if len(self._leaf) == LEAF:
                self._close()

    def _close(self) -> None:
        digest = leaf_hash(self._leaf)
        if self._record is not None:
            self._record(self._line(digest))
        self._tree.push(digest)
        self._leaf.clear()

    def _line(self, digest: bytes) -> Leaf:
        blocks = locators(self._leaf)
        return Leaf(self._stream, self._tree.leaves, len(self._leaf), digest, blocks)

    def root(self) -> bytes:
        """Return the hash of all that was fed."""
        return self._tree.root(leaf_hash(self._leaf) if self._leaf else None)

    def record_last(self) -> None:
        """Record the leaf that is not full, at the end of the stream."""
        if self._leaf and self._record is not None:
            self._record(self._line(leaf_hash(self._leaf)))
