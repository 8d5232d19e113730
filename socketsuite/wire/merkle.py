"""A tree hash of a stream: SHA-256 over leaves of 64 KiB (RFC 6962, section 2.1).

The hash of every prefix can be made while the stream goes by, from a state that grows with the
logarithm of its length.  This module must not know where the bytes come from, nor what the hash is
for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

LEAF = 65536
"""Bytes of a leaf; the last leaf of a stream may be shorter."""
HASH_SIZE = 32
EMPTY = hashlib.sha256().digest()
"""The hash of no bytes at all."""

_LEAF_PREFIX = hashlib.sha256(b"\x00")
_NODE_PREFIX = b"\x01"


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above *left* and *right*."""
    return hashlib.sha256(_NODE_PREFIX + left + right).digest()


class TreeHash:
    """The tree hash of what was fed, at any time.

    :param leaf_size: bytes of a leaf; another than :data:`LEAF` is for tests.
    :param on_leaf: called with the index and the hash of each leaf that is full.
    :ivar size: how many bytes were fed, those before a restored state included.
    """

    __slots__ = ("_frontier", "_held", "_leaf", "_leaf_size", "_on_leaf", "_whole")

    def __init__(
        self, leaf_size: int = LEAF, on_leaf: Callable[[int, bytes], None] | None = None
    ) -> None:
        self._leaf_size = leaf_size
        self._on_leaf = on_leaf
        self._whole = 0
        # The roots of the perfect subtrees of the whole leaves, the largest first: one for each
        # bit that is set in their number.
        self._frontier: list[bytes] = []
        self._leaf = _LEAF_PREFIX.copy()
        self._held = 0

    @classmethod
    def restore(
        cls,
        whole_leaves: int,
        frontier: Sequence[bytes],
        leaf_size: int = LEAF,
        on_leaf: Callable[[int, bytes], None] | None = None,
    ) -> TreeHash:
        """Return the state after so many whole leaves; what comes behind them is to be fed.

        :raises ValueError: when *frontier* cannot be that of so many leaves.
        """
        if whole_leaves < 0 or whole_leaves.bit_count() != len(frontier):
            raise ValueError(f"{len(frontier)} hashes are no frontier of {whole_leaves} leaves")
        if any(len(one) != HASH_SIZE for one in frontier):
            raise ValueError(f"a hash has {HASH_SIZE} bytes")
        tree = cls(leaf_size, on_leaf)
        tree._whole = whole_leaves
        tree._frontier = [bytes(one) for one in frontier]
        return tree

    @property
    def size(self) -> int:
        """How many bytes the hash is of."""
        return self._whole * self._leaf_size + self._held

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes."""
        room = self._leaf_size - self._held
        if len(data) < room:
            self._leaf.update(data)
            self._held += len(data)
            return
        view = memoryview(data)
        start = 0
        while len(view) - start >= room:
            self._leaf.update(view[start : start + room])
            start += room
            self._close_leaf()
            room = self._leaf_size
        self._held = len(view) - start
        if self._held:
            self._leaf.update(view[start:])

    def _close_leaf(self) -> None:
        found = self._leaf.digest()
        if self._on_leaf is not None:
            self._on_leaf(self._whole, found)
        left = self._whole
        while left & 1:
            found = node(self._frontier.pop(), found)
            left >>= 1
        self._frontier.append(found)
        self._whole += 1
        self._leaf = _LEAF_PREFIX.copy()
        self._held = 0

    def partial_leaf(self) -> tuple[int, bytes] | None:
        """Return the index and the hash of the leaf that is not full; ``None`` if none is begun."""
        return (self._whole, self._leaf.copy().digest()) if self._held else None

    def root(self) -> bytes:
        """Return the hash of all that was fed so far; more may be fed after it."""
        found = self._leaf.copy().digest() if self._held else b""
        for left in reversed(self._frontier):
            found = node(left, found) if found else left
        return found or EMPTY

    def frontier(self) -> tuple[int, list[bytes]]:
        """Return the state of the whole leaves, for :meth:`restore`."""
        return self._whole, list(self._frontier)

    def copy(self) -> TreeHash:
        """Return another of the same state, without ``on_leaf``."""
        other = TreeHash.restore(self._whole, self._frontier, self._leaf_size)
        other._leaf = self._leaf.copy()
        other._held = self._held
        return other
