"""Connection-state recovery: what a lost client missed, and what it was, for a while.

Every event without an acknowledgement is kept, once, and carries its number as a last argument:
the client says the last number it has seen, and a secret of its own, when it comes back.  This
module must not know how packets are sent.
"""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from socketsuite.socketio.engine import Encoded
from socketsuite.socketio.options import Options


class _Kept(NamedTuple):
    """An event: whom it was for, and when; no rooms are everybody."""

    since: float
    encoded: Encoded
    rooms: frozenset[str]
    excepted: frozenset[str]


@dataclass(frozen=True)
class LostSocket:
    """What a socket was when its session ended.

    :ivar rooms: each with the number of the first event that it was in it for.
    :ivar number: of the first event that was sent while it was connected.
    """

    id: str
    pid: str
    rooms: Mapping[str, int]
    data: dict[str, Any]
    number: int
    since: float


class Recovery:
    """The events and lost sockets of one namespace; with ``recovery=0`` it keeps none."""

    def __init__(self, clock: Any, options: Options) -> None:
        self._clock, self._options = clock, options
        self._events: deque[_Kept] = deque()
        self._bytes = 0
        self._lost: OrderedDict[str, LostSocket] = OrderedDict()
        self._ids: set[str] = set()
        self._mark = f"{secrets.token_hex(4)}-"
        self.number = 0
        """Of the next event."""

    @property
    def wanted(self) -> bool:
        """Whether anything is to be kept."""
        return self._options.recovery > 0

    def next_offset(self) -> str:
        """Return what the next event carries to be known by."""
        return f"{self._mark}{self.number}"

    def keep(self, encoded: Encoded, rooms: Iterable[str], excepted: Iterable[str]) -> None:
        """Keep an event, which carries :meth:`next_offset`."""
        kept = _Kept(self._clock.seconds(), encoded, frozenset(rooms), frozenset(excepted))
        self._events.append(kept)
        self._bytes += encoded.size
        self.number += 1
        options, oldest = self._options, self._clock.seconds() - self._options.recovery
        while self._events and (
            len(self._events) > options.max_recovery_packets
            or self._bytes > options.max_recovery_bytes
            or self._events[0].since < oldest
        ):
            self._bytes -= self._events.popleft().encoded.size

    def lose(self, lost: LostSocket) -> None:
        """Remember a socket whose session has ended."""
        self._forget_old()
        self._lost[lost.pid] = lost
        self._ids.add(lost.id)
        if len(self._lost) > self._options.max_recovery_sockets:
            self._forget_first()

    def is_lost(self, socket_id: str) -> bool:
        """Whether a socket of that id may come back."""
        self._forget_old()
        return socket_id in self._ids

    def find(self, pid: str, offset: Any) -> tuple[LostSocket, list[Encoded]] | None:
        """Return the socket that *pid* belongs to, and what it has missed since *offset*.

        It is forgotten by that.  Without an offset it has seen nothing.
        """
        self._forget_old()
        lost = self._lost.pop(pid, None)
        if lost is None:
            return None
        self._ids.discard(lost.id)
        number = lost.number
        if offset is not None:
            seen = self._number(offset)
            if seen is None:
                return None
            number = max(seen + 1, number)
        first = self.number - len(self._events)
        if not first <= number <= self.number:
            return None  # not all of it is kept any more
        return lost, list(self._missed(lost, number))

    def _number(self, offset: Any) -> int | None:
        """Return the number that an offset has, or ``None``: it may be any text of an event."""
        if not isinstance(offset, str) or not offset.startswith(self._mark):
            return None
        digits = offset.removeprefix(self._mark)
        return int(digits) if re.fullmatch(r"[0-9]{1,18}", digits) else None

    def _missed(self, lost: LostSocket, number: int) -> Iterator[Encoded]:
        first = self.number - len(self._events)
        for place, kept in enumerate(self._events, first):
            if place >= number and _was_for(kept, lost.rooms, place):
                yield kept.encoded

    def _forget_old(self) -> None:
        oldest = self._clock.seconds() - self._options.recovery
        while self._lost and next(iter(self._lost.values())).since < oldest:
            self._forget_first()

    def _forget_first(self) -> None:
        _, lost = self._lost.popitem(last=False)
        self._ids.discard(lost.id)


def _was_for(kept: _Kept, rooms: Mapping[str, int], number: int) -> bool:
    """Whether an event was for who was in *rooms*: not what was said there before it came."""
    if not kept.excepted.isdisjoint(rooms):
        return False
    if not kept.rooms:
        return True
    joined: Collection[int] = [rooms[name] for name in kept.rooms if name in rooms]
    return any(since <= number for since in joined)
