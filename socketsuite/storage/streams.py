"""Streams that senders name: how far each has come, and the tree hash of what it holds.

A stream belongs to the reactor's thread, but for its tree, which is fed by the thread that writes
its file.  This module must not know of files, connections or the journal's form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from socketsuite.wire.merkle import TreeHash


@dataclass(eq=False, slots=True)
class Stream:
    """One stream.

    :ivar number: what the journal calls it.
    :ivar enqueued: bytes of it that were handed to its file's queue.
    :ivar receipt: how many bytes of it are kept as ``--sync`` says, and their tree hash.
    :ivar durable: how many bytes of it were synced.
    :ivar leaves: whole leaves of the tree that the journal knows of.
    :ivar tree: of what was written to its file; *rollback* is what it was before the batch at hand.
    :ivar sender: the connection that sends it now.
    :ivar used: when it was last sent to, in seconds since 1970.
    :ivar fresh: whether a file of its own is to be begun for it.
    :ivar destination: of the file that it was last written to.
    """

    name: str
    number: int
    tree: TreeHash
    receipt: tuple[int, bytes]
    used: float
    enqueued: int = 0
    durable: int = 0
    leaves: int = 0
    sender: Any = None
    rollback: TreeHash | None = None
    fresh: bool = False
    destination: Any = None

    def roll_back(self) -> None:
        """What was written in the batch at hand is not kept."""
        if self.rollback is not None:
            self.go_back(self.rollback)

    def go_back(self, tree: TreeHash) -> None:
        """What was written since the tree hash was *tree* is not kept."""
        self.tree, self.rollback, self.leaves = tree, None, -1

    def drop_unwritten(self) -> None:
        """What was in the queue, or written to a file that failed, is not in it."""
        self.enqueued = self.tree.size
        if self.receipt[0] > self.enqueued:
            self.receipt = self.enqueued, self.tree.root()


@dataclass(eq=False)
class Streams:
    """All streams there are, by name.

    :param most: how many there may be.
    """

    most: int
    by_name: dict[str, Stream] = field(default_factory=dict)
    last_number: int = 0

    def add(self, name: str, now: float) -> Stream:
        """Begin a stream."""
        self.last_number += 1
        tree = TreeHash()
        stream = Stream(name, self.last_number, tree, (0, tree.root()), now)
        self.by_name[name] = stream
        return stream

    @property
    def full(self) -> bool:
        """Whether there may be no other."""
        return len(self.by_name) >= self.most

    def expired(self, before: float) -> list[Stream]:
        """Return those that nobody sends, and nobody has sent to since *before*."""
        return [one for one in self.by_name.values() if one.sender is None and one.used < before]
