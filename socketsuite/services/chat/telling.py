"""Tells people of events: renders each once for all who see it alike, and writes it to each.

This module must not know what an event means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from twisted.logger import Logger

from socketsuite.services.chat.events import Event
from socketsuite.services.chat.person import Person, Render, Write
from socketsuite.services.chat.room import Room

_log = Logger(namespace="socketsuite-chat")


class Telling:
    """Tells of events.

    :param quit: puts somebody out who could not be told, for that reason.
    """

    def __init__(self, quit: Callable[[Person, str], object]) -> None:
        self._quit = quit

    def tell(self, people: Iterable[Person], event: Event) -> None:
        """Tell *event* to *people*; rendered once for all who see it alike."""
        rendered: dict[Render, bytes] = {}
        for person in tuple(people):
            wire = rendered.get(person.render)
            if wire is None:
                wire = rendered[person.render] = person.render(event)
            if wire:
                self._write(person, person.write, wire)

    def tell_room(self, room: Room, event: Event, but: Person | None = None) -> int:
        """Tell everybody in *room* but one; members may come and go while this goes on.

        :return: how many were told.
        """
        told = 0
        for render, listeners in tuple(room.listeners.items()):
            if not listeners:
                continue
            wire = render(event)
            if not wire:
                continue
            writes = list(listeners.values())
            own = listeners.get(but) if but is not None else None
            if own is not None:
                writes.remove(own)
            told += len(writes)
            for write, error in _write_to_all(writes, wire):
                self._all_out(listeners, write, error)
        return told

    def _all_out(self, listeners: dict[Person, Write], write: Write, error: Exception) -> None:
        for person in [one for one, its in listeners.items() if its is write]:
            self._failed(person, error)

    def _write(self, person: Person, write: Write, wire: bytes) -> None:
        try:
            write(wire)
        except Exception as error:  # noqa: BLE001 - whatever it is, the rest must hear
            self._failed(person, error)

    def _failed(self, person: Person, error: Exception) -> None:
        _log.error("{nick} could not be told and is out: {error!r}", nick=person.nick, error=error)
        self._quit(person, "could not be told")


def _write_to_all(writes: Sequence[Write], wire: bytes) -> Iterable[tuple[Write, Exception]]:
    """Write to each; return those that raised an exception, each with that.

    A transport may have a way to do it for many at once, which takes any transport's ``write``.
    """
    one = getattr(writes[0], "__self__", None) if writes else None
    at_once = getattr(one, "writeToAll", None)
    if at_once is not None:
        return at_once(writes, wire)  # type: ignore[no-any-return]
    failed = []
    for write in writes:
        try:
            write(wire)
        except Exception as error:  # noqa: BLE001 - whatever it is, the rest must hear
            failed.append((write, error))
    return failed
