"""A room: what one member says reaches every other member.

This module must not know how a member is connected, or how a line looks on any wire.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.logger import Logger


class Remark:
    """Lines that one member said in one breath.

    :param lines: the lines as received, without terminators; nothing is known of their
        encoding, and they may hold anything but LF.
    """

    def __init__(self, lines: Sequence[bytes]) -> None:
        self.lines = lines
        self._rendered: dict[Callable[[Sequence[bytes]], bytes], bytes] = {}

    def rendered(self, render: Callable[[Sequence[bytes]], bytes]) -> bytes:
        """Return ``render(lines)``, worked out once however many members ask."""
        wire = self._rendered.get(render)
        if wire is None:
            wire = self._rendered[render] = render(self.lines)
        return wire


class Member(Protocol):
    """Anybody who can be in a room."""

    def hear(self, remark: Remark) -> None:
        """Take what another member said."""


class Room:
    """The members, in the order they came, and what they say to one another."""

    _log = Logger()

    def __init__(self) -> None:
        self._members: dict[Member, None] = {}

    def __len__(self) -> int:
        return len(self._members)

    def join(self, member: Member) -> None:
        """Let *member* hear the others from now on."""
        self._members[member] = None

    def leave(self, member: Member) -> None:
        """Let *member* hear nothing more; one who is not here may leave, too."""
        self._members.pop(member, None)

    def say(self, speaker: Member, lines: Sequence[bytes]) -> None:
        """Tell *lines* to everybody but *speaker*.

        Members may leave while this goes on.  One that cannot be told is put out of the
        room; the others never notice.
        """
        remark = Remark(lines)
        for member in tuple(self._members):
            if member is speaker or member not in self._members:
                continue
            try:
                member.hear(remark)
            except Exception as error:  # noqa: BLE001 - whatever it is, the rest must hear
                self.leave(member)
                self._log.error("a member could not be told and is out: {error!r}", error=error)
