"""Which files go when there are too many, or when they are too large together.

This module must not know what is in a file, nor how one is deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Numbered(Protocol):
    """A segment among others of the same file."""

    @property
    def number(self) -> int:
        """Its place."""


class Stored(Protocol):
    """What a file takes of a quota."""

    @property
    def name(self) -> str:
        """Its path."""

    @property
    def size(self) -> int:
        """Bytes on disk."""

    @property
    def modified(self) -> int:
        """When it was last written."""


_Numbered = TypeVar("_Numbered", bound=Numbered)
_Stored = TypeVar("_Stored", bound=Stored)


def surplus(segments: Iterable[_Numbered], keep: int) -> list[_Numbered]:
    """Return the segments of one file that go when the newest *keep* stay, the oldest first."""
    ordered = sorted(segments, key=lambda one: one.number)
    return ordered[: max(0, len(ordered) - keep)]


def over_quota(files: Iterable[_Stored], quota: int, in_use: int = 0) -> list[_Stored]:
    """Return which files go so that the others keep within *quota* bytes, the oldest first.

    :param files: those that may go.
    :param in_use: bytes of files that stay, and count too.
    """
    ordered = sorted(files, key=lambda one: (one.modified, one.name))
    excess = sum(one.size for one in ordered) + in_use - quota
    gone = 0
    while excess > 0 and gone < len(ordered):
        excess -= ordered[gone].size
        gone += 1
    return ordered[:gone]
