"""Passwords against hashes, in threads of their own: the reactor never waits for one.

This module must not know accounts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from socketsuite.services.chat.refusals import Refused
from socketsuite.wire.account_line import ARGON2

_Result = TypeVar("_Result")
THREADS = 2
MOST_WAITING = 64
BUSY = "too many are logging in just now; try again"


class Workers:
    """A few threads, started when they are needed, and a bounded queue before them.

    They end with the process, which does not wait for them.

    :param reactor: where results come back to.
    """

    def __init__(self, reactor: Any, threads: int = THREADS, waiting: int = MOST_WAITING) -> None:
        self._reactor = reactor
        self._threads = threads
        self._most = threads + waiting
        self._queue: SimpleQueue[tuple[Callable[[], Any], Deferred[Any]]] = SimpleQueue()
        self._running = self._pending = 0

    def do(self, work: Callable[[], _Result]) -> Deferred[_Result]:
        """Have *work* done in a thread.

        :return: fires with what it returns, or fails with what it raises; fails with
            :class:`Refused` where too much waits already.
        """
        if self._pending >= self._most or not self._has_thread():
            return fail(Refused("busy", "", BUSY))
        self._pending += 1
        done: Deferred[_Result] = Deferred()
        self._queue.put((work, done))
        return done

    def _has_thread(self) -> bool:
        if self._running <= self._pending and self._running < self._threads:
            try:
                threading.Thread(target=self._run, name="password hashing", daemon=True).start()
            except RuntimeError:  # the machine has no more; the next call asks again
                return self._running > 0
            self._running += 1
        return True

    def _run(self) -> None:
        while True:
            work, done = self._queue.get()
            result: Any
            try:
                result = work()
            except Exception:  # noqa: BLE001 - it is who waits that must hear of it
                result = Failure()
            self._reactor.callFromThread(self._came, done, result)

    def _came(self, done: Deferred[Any], result: Any) -> None:
        self._pending -= 1
        done.callback(result)


def load() -> None:
    """Load what hashes, while its files are within reach; a jail may hide them later."""
    import argon2  # noqa: F401


def hashed(password: bytes) -> str:
    """Return the hash of a prepared *password*; takes its time.

    :raises Refused: when there is no memory for it.
    """
    from argon2 import PasswordHasher
    from argon2.exceptions import HashingError

    try:
        return PasswordHasher(*ARGON2).hash(password)
    except HashingError:
        raise Refused("busy", "", BUSY) from None


def fits(password: bytes, hashed: str) -> bool:
    """Return whether *hashed* is the hash of a prepared *password*; takes its time.

    :raises Refused: when there is no memory for it.
    """
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

    try:
        return PasswordHasher().verify(hashed, password)
    except (VerifyMismatchError, InvalidHashError):
        return False
    except VerificationError:
        raise Refused("busy", "", BUSY) from None
