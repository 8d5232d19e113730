"""The file of ``--history-file``: SQLite in WAL mode, opened with care, one process at a time.

A commit has reached the disk when :meth:`HistoryFile.apply` returns (``synchronous=FULL``); a
process or a machine that ends at any moment leaves whole transactions only.  Everything here
blocks, and belongs to one thread.  This module must not know threads, nor the hub.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from socketsuite.services.chat import history_rows as rows
from socketsuite.services.chat.empty_rooms import MOST_BYTES, MOST_ROOMS
from socketsuite.services.chat.history import HistoryLimits
from socketsuite.services.chat.history_path import (
    VERSION,
    HistoryFileError,
    cause_of,
    create_whole,
    move_aside,
    reject_unsafe,
)
from socketsuite.services.chat.history_queue import Batch
from socketsuite.services.chat.kept import KeptRoom
from socketsuite.services.chat.nicks import key_of

_IN_USE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
# Seconds: who looks into the file with another program for a moment does not fail a start.
_BUSY = 1.0
_PRAGMAS = (
    # One process; and no -shm file, which another could spoil.
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA synchronous=FULL",
    # What was deleted is not to be found in the file's free space.
    "PRAGMA secure_delete=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA journal_size_limit=4194304",
)


class HistoryFile:
    """The open file.

    :ivar fresh: whether it was made just now, and holds nothing.
    :ivar dropped: how many rooms there were beyond those that are kept.
    """

    def __init__(self, path: Path) -> None:
        """Open the file at *path*; make it, for this user alone, where there is none.

        :raises HistoryFileError: in one line, when it cannot be used.
        :raises DamagedError: when it is ours, and cannot be read.
        """
        # SQLite's own files are beside what a symbolic link leads to.
        self.path = Path(os.path.realpath(path))
        self.fresh = not reject_unsafe(self.path)
        self.dropped = 0
        try:
            if self.fresh:
                create_whole(self.path, rows.create)
            self._database = sqlite3.connect(self.path, timeout=_BUSY, isolation_level=None)
        except (sqlite3.Error, OSError) as error:
            raise HistoryFileError(self.path, cause_of(error)) from None
        try:
            self._begin()
        except sqlite3.Error as error:
            self._database.close()
            raise _explained(self.path, error) from None
        self._identity = self._on_disk()

    def _begin(self) -> None:
        for pragma in _PRAGMAS:
            self._database.execute(pragma)
        (mode,) = self._database.execute("PRAGMA journal_mode=WAL").fetchone()
        with self._transaction():  # takes the lock, which is kept from now on
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version < VERSION:  # all that such a file holds may be in this one
                self._database.execute(f"PRAGMA user_version={VERSION}")
        if version < VERSION:
            # Into the file itself: that is where an older program looks which version it is.
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if mode != "wal":
            raise sqlite3.DatabaseError(f"its journal's mode is {mode}")
        for (found,) in self._database.execute("PRAGMA quick_check(1)"):
            if found != "ok":
                raise sqlite3.DatabaseError(found)

    def close(self) -> None:
        """Bring the file into one piece, and let it go."""
        with contextlib.suppress(sqlite3.Error):
            self._database.close()

    def load(self, limits: HistoryLimits, now: float) -> list[KeptRoom]:
        """Return the rooms within the limits, the last used one first; delete what is beyond.

        :raises HistoryFileError: in one line, when it cannot be read.
        :raises DamagedError: when what it holds cannot be.
        """
        oldest = now - limits.seconds if limits.seconds else float("-inf")
        found: list[KeptRoom] = []
        size = 0
        try:
            with self._transaction():
                rows.check_schema(self._database)
                for state in rows.rooms(self._database):
                    messages, its = rows.messages(self._database, state, limits, oldest)
                    if len(found) > MOST_ROOMS or size + its > MOST_BYTES:
                        self.dropped = rows.count_rooms(self._database) - len(found)
                        break
                    size += its
                    found.append(KeptRoom(state, messages))
                rows.delete_beyond(self._database, found)
            self._database.execute("PRAGMA incremental_vacuum").fetchall()
        except sqlite3.Error as error:
            raise _explained(self.path, error) from None
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise DamagedError(self.path, f"what it holds is none of ours: {error}") from None
        return found

    def apply(self, batch: Batch) -> None:
        """Write *batch* down: all of it, or nothing.

        :raises OSError: when it cannot be written now.
        :raises sqlite3.Error: when it cannot be written now, or (``IntegrityError``,
            ``InterfaceError``, ``DataError``) never.
        """
        if self._on_disk() != self._identity:
            raise HistoryFileError(self.path, "it was removed or replaced")
        with self._transaction():
            if batch.everything:
                rows.delete_beyond(self._database, ())
            rows.apply(
                self._database,
                forgotten=batch.forgotten,
                states=batch.rooms.values(),
                said=[(key_of(message.room or ""), message) for message in batch.messages],
                evicted=batch.evicted,
                removed=batch.removed,
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            # What cannot be written has often been rolled back by now.
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            raise

    def _on_disk(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


class DamagedError(HistoryFileError):
    """The file is ours, and cannot be read."""


def open_or_begin_anew(
    path: Path, limits: HistoryLimits, now: float
) -> tuple[HistoryFile, list[KeptRoom], tuple[Path, str] | None]:
    """Return the open file, its rooms and, where a damaged one was moved, where to, and why.

    :raises HistoryFileError: in one line, when it cannot be used.
    """
    try:
        file = HistoryFile(path)
        try:
            return file, file.load(limits, now), None
        except BaseException:
            file.close()
            raise
    except DamagedError as error:
        try:
            aside = move_aside(Path(os.path.realpath(path)))
        except OSError as failed:
            raise HistoryFileError(path, f"{error.why}; {cause_of(failed)}") from None
        return HistoryFile(path), [], (aside, error.why)


def _explained(path: Path, error: sqlite3.Error) -> HistoryFileError:
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary in _IN_USE:
        return HistoryFileError(path, "another process has it open: stop that one")
    if primary is None or primary in _DAMAGED:
        return DamagedError(path, f"it is damaged: {error}")
    return HistoryFileError(path, cause_of(error))
