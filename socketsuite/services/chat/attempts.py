"""Wrong passwords cost the host that they come from time: the more of them, the more of it.

This module must not know what is attempted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock, fail
from twisted.internet.task import deferLater

from socketsuite.addresses import host_key
from socketsuite.services.chat.hashing import BUSY
from socketsuite.services.chat.refusals import Refused

FIRST = 0.5
LONGEST = 30.0
FORGOTTEN = 900.0
"""Seconds: what the first wrong attempt costs, what any costs at most, and for how long."""

MOST_WAITING, FEW_WAITING = 64, 8
"""Attempts that wait at a time, of a host without wrong ones, and of one with some."""

_ALL_WAITING = 4096
_HOSTS = 8192

Work = Callable[[], "Deferred[str | None]"]


class _Host:
    __slots__ = ("failed_at", "failures", "lock", "waiting")

    def __init__(self) -> None:
        self.lock = DeferredLock()
        self.failures = self.waiting = 0
        self.failed_at = 0.0


class Attempts:
    """The attempts of each host, one after another, with a pause behind each wrong one.

    One after another, since otherwise a thousand at once would share one pause.  A right one does
    not take back the wrong ones before it: whoever has an account could buy guesses with it.  A
    host with wrong attempts is known for :data:`FORGOTTEN` seconds after the last; of more than
    8192 the longest silent is forgotten first.

    :param reactor: the clock.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._waiting = 0
        self._busy: dict[bytes, _Host] = {}
        # Hosts that wait for nothing, but are remembered; the longest silent first.
        self._idle: OrderedDict[bytes, _Host] = OrderedDict()

    def __len__(self) -> int:
        return len(self._busy) + len(self._idle)

    def attempt(self, host: str, work: Work, *, always_costs: bool = False) -> Deferred[str | None]:
        """Do *work* when it is this host's turn.

        :param work: fires with an account's name, or ``None`` for a wrong attempt.
        :param always_costs: whether a right one costs what a wrong one does.
        :return: fires with the same, after the pause; fails with :class:`Refused` where too many
            wait.  To cancel it takes nothing back.
        """
        self._forget()
        # What is no address, as for a Unix socket, is counted by itself.
        key = host_key(host) or host.encode()
        known = self._busy.get(key) or self._idle.pop(key, None) or _Host()
        most = FEW_WAITING if known.failures else MOST_WAITING
        if known.waiting >= most or self._waiting >= _ALL_WAITING:
            if not known.waiting and known.failures:
                self._idle[key] = known
            return fail(Refused("busy", "", BUSY))
        self._busy[key] = known
        known.waiting += 1
        self._waiting += 1
        told: Deferred[str | None] = Deferred()
        done = self._in_turn(key, known, work, always_costs)
        Deferred.fromCoroutine(done).chainDeferred(told)
        return told

    async def _in_turn(
        self, key: bytes, known: _Host, work: Work, always_costs: bool
    ) -> str | None:
        await known.lock.acquire()
        try:
            name = await work()
            if name is None or always_costs:
                cost = min(LONGEST, FIRST * 2 ** min(known.failures, 16))
                known.failures += 1
                await deferLater(self._reactor, cost, lambda: None)
                known.failed_at = self._reactor.seconds()
            return name
        finally:
            known.lock.release()
            self._done(key, known)

    def _done(self, key: bytes, known: _Host) -> None:
        known.waiting -= 1
        self._waiting -= 1
        if not known.waiting:
            del self._busy[key]
            if known.failures:
                self._idle[key] = known

    def _forget(self) -> None:
        over = self._reactor.seconds() - FORGOTTEN
        while self._idle:
            key = next(iter(self._idle))
            if self._idle[key].failed_at > over and len(self) < _HOSTS:
                return
            del self._idle[key]
