"""A tree hash of a stream: SHA-256 over leaves of 64 KiB (RFC 6962, section 2.1).

The hash of every prefix can be made while the stream goes by, from a state that grows with the
logarithm of its length.  This module must not know where the bytes come from, nor what the hash is
for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

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


class LeafTree:
    """The tree over whole leaves, of which only the hashes are known.

    :ivar leaves: how many there are.
    """

    __slots__ = ("_frontier", "leaves")

    def __init__(self, leaves: int = 0, frontier: Sequence[bytes] = ()) -> None:
        """Begin after so many leaves, with what :meth:`frontier` said then.

        :raises ValueError: when *frontier* cannot be that of so many leaves.
        """
        if leaves < 0 or leaves.bit_count() != len(frontier):
            raise ValueError(f"{len(frontier)} hashes are no frontier of {leaves} leaves")
        if any(len(one) != HASH_SIZE for one in frontier):
            raise ValueError(f"a hash has {HASH_SIZE} bytes")
        self.leaves = leaves
        # The roots of the perfect subtrees, the largest first: one for each bit that is set in
        # the number of leaves.
        self._frontier = [bytes(one) for one in frontier]

    def push(self, leaf: bytes) -> None:
        """Take the hash of the next leaf."""
        left = self.leaves
        while left & 1:
            leaf = node(self._frontier.pop(), leaf)
            left >>= 1
        self._frontier.append(leaf)
        self.leaves += 1

    def root(self, last: bytes | None = None) -> bytes:
        """Return the root; *last* is the hash of one more leaf, which need not be full."""
        found = last
        for left in reversed(self._frontier):
            found = left if found is None else node(left, found)
        return EMPTY if found is None else found

    def frontier(self) -> list[bytes]:
        """Return the hashes from which the tree can go on."""
        return list(self._frontier)


def leaf_hash(data: bytes | bytearray | memoryview) -> bytes:
    """Return the hash of a leaf."""
    leaf = _LEAF_PREFIX.copy()
    leaf.update(data)
    return leaf.digest()


class TreeHash:
    """The tree hash of what was fed, at any time.

    :param leaf_size: bytes of a leaf; another than :data:`LEAF` is for tests.
    """

    __slots__ = ("_held", "_leaf", "_leaf_size", "_tree")

    def __init__(self, leaf_size: int = LEAF) -> None:
        self._leaf_size = leaf_size
        self._tree = LeafTree()
        self._leaf = _LEAF_PREFIX.copy()
        self._held = 0

    @classmethod
    def restore(
        cls, whole_leaves: int, frontier: Sequence[bytes], leaf_size: int = LEAF
    ) -> TreeHash:
        """Return the state after so many whole leaves; what comes behind them is to be fed.

        :raises ValueError: when *frontier* cannot be that of so many leaves.
        """
        tree = cls(leaf_size)
        tree._tree = LeafTree(whole_leaves, frontier)
        return tree

    @property
    def size(self) -> int:
        """How many bytes the hash is of, those before a restored state included."""
        return self._tree.leaves * self._leaf_size + self._held

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
            self._tree.push(self._leaf.digest())
            self._leaf = _LEAF_PREFIX.copy()
            room = self._leaf_size
        self._held = len(view) - start
        if self._held:
            self._leaf.update(view[start:])

    def root(self) -> bytes:
        """Return the hash of all that was fed so far; more may be fed after it."""
        return self._tree.root(self._leaf.copy().digest() if self._held else None)

    def frontier(self) -> tuple[int, list[bytes]]:
        """Return the state of the whole leaves, for :meth:`restore`."""
        return self._tree.leaves, self._tree.frontier()

    def copy(self) -> TreeHash:
        """Return another of the same state."""
        other = TreeHash.restore(*self.frontier(), self._leaf_size)
        other._leaf = self._leaf.copy()
        other._held = self._held
        return other
