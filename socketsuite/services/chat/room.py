"""A room: what one member says reaches every other member.

This module must not know how a member is connected, or how a line looks on any wire: who
joins brings both along.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from twisted.logger import Logger

Render = Callable[[Sequence[bytes]], bytes]
"""Turns lines, as they were received, into bytes on some wire."""

Write = Callable[[bytes], object]
"""Takes such bytes to one member."""


class Room:
    """The members, grouped by how they are told, and what they say to one another."""

    _log = Logger()

    def __init__(self) -> None:
        self._frontends: dict[Render, dict[Hashable, Write]] = {}

    def __len__(self) -> int:
        return sum(len(members) for members in self._frontends.values())

    def join(self, member: Hashable, render: Render, write: Write) -> None:
        """Let *member* hear the others from now on.

        :param render: the same function for all who came in by the same frontend.
        """
        self._frontends.setdefault(render, {})[member] = write

    def leave(self, member: Hashable) -> None:
        """Let *member* hear nothing more; one who is not here may leave, too."""
        for members in self._frontends.values():
            members.pop(member, None)

    def say(self, speaker: Hashable, lines: Sequence[bytes]) -> None:
        """Tell *lines* to everybody but *speaker*.

        :param lines: as received, without terminators; nothing is known of their encoding,
            and they may hold anything but LF.

        Lines are rendered once for each frontend.  Members may come and go while this goes on.
        One that cannot be told is put out of the room; the others never notice.
        """
        for render, members in tuple(self._frontends.items()):
            if not members:
                continue
            wire = render(lines)
            own = members.get(speaker)
            for write in tuple(members.values()):
                if write is own:
                    continue
                try:
                    write(wire)
                except Exception as error:  # noqa: BLE001 - whatever it is, the rest must hear
                    self._put_out(members, write)
                    self._log.error("a member could not be told and is out: {error!r}", error=error)

    def _put_out(self, members: dict[Hashable, Write], write: Write) -> None:
        for member in [one for one, its in members.items() if its is write]:
            self.leave(member)
