"""Storage that is used, fails, is killed and begun anew at random; and what has to hold all along.

A world has one sink without threads.  Each call of the system may fail, and after each the process
may be killed, or the machine lose its power: then what was not synced is there in part.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from socketsuite.storage import system_calls
from socketsuite.storage.batches import Receipt, Write
from socketsuite.storage.recovery import recover
from socketsuite.storage.stream_map import find_map
from socketsuite.wire.merkle import TreeHash
from tests.support.disk import Disk

_LINE = re.compile(rb"(s\d|r):(\d{7})\n")
_SIZE = 11
NAMES = ("s0", "s1", "s2")


class Killed(BaseException):
    """The process is no more."""


def lines(name: str, start: int, count: int) -> bytes:
    """Return lines of a stream, each of which is there once."""
    return b"".join(
        b"%s:%07d\n" % (name.encode(), number) for number in range(start, start + count)
    )


class World:
    """A folder, and the sink that writes to it now.

    :ivar kept: bytes of each stream that a receipt was given for; *synced*, for good.
    """

    def __init__(self, path: Path, seed: int, sync: str) -> None:
        self.path = path
        self.dice = random.Random(seed)
        self.sync = sync
        self.kept = dict.fromkeys(NAMES, 0)
        self.synced = dict.fromkeys(NAMES, 0)
        self.on_disk: dict[int, int] = {}
        self.fails: dict[str, int] = {}
        self.lives = -1
        # A receipt without a sync may be on its way while the disk loses what it is for.
        self.in_doubt = False
        self.raw = 0
        self.rotate_size = self.dice.choice((0, 0, 300, 3000))
        self.files = dict.fromkeys(NAMES, "a")
        self.disk = self._new_disk()

    def _new_disk(self) -> Disk:
        disk = Disk(self.path, sync=self.sync, rotate_size=self.rotate_size, longest=100)
        disk.hears_receipts = self._hear
        return disk

    def _hear(self, one: Receipt) -> None:
        name = one.stream.name
        tree = TreeHash()
        tree.feed(lines(name, 0, one.offset // _SIZE))
        assert one.root == tree.root(), f"a receipt of {name} for other bytes"
        if one.durable or not self.in_doubt:
            self.kept[name] = max(self.kept[name], one.offset)
        if one.durable:
            self.synced[name] = max(self.synced[name], one.offset)

    # ── the system ──────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def system(self) -> Iterator[None]:
        """Have the calls of the system counted, and fail when they are to."""
        with (
            mock.patch.object(os, "writev", self._writev),
            mock.patch.object(os, "fdatasync", self._fdatasync),
            mock.patch.object(system_calls, "rename_exclusive", self._rename),
        ):
            yield

    _real_writev, _real_fdatasync = os.writev, os.fdatasync
    _real_rename = staticmethod(system_calls.rename_exclusive)

    def _live(self) -> None:
        if self.lives == 0:
            raise Killed
        self.lives -= self.lives > 0

    def _writev(self, descriptor: int, pieces: Any) -> int:
        self._live()
        failure = self.fails.pop("writev", 0)
        if failure == errno.ENOSPC:
            whole = b"".join(map(bytes, pieces))
            return os.write(descriptor, whole[: self.dice.randrange(len(whole) + 1)])
        if failure:
            raise OSError(failure, os.strerror(failure))
        written = os.write(descriptor, b"".join(map(bytes, pieces)))
        self._live()
        return written

    def _fdatasync(self, descriptor: int) -> None:
        self._live()
        status = os.fstat(descriptor)
        if failure := self.fails.pop("fdatasync", 0):
            # What was not on disk is dropped, and nobody is told a second time.
            self.kept = dict(self.synced)
            self.in_doubt = True
            kept = self.on_disk.get(status.st_ino, 0)
            with open(f"/proc/self/fd/{descriptor}", "r+b") as file:
                file.seek(kept)
                file.write(bytes(max(0, status.st_size - kept)))
            raise OSError(failure, os.strerror(failure))
        self.on_disk[status.st_ino] = status.st_size
        self._live()

    def _rename(self, *names: Any) -> None:
        self._live()
        if failure := self.fails.pop("rename", 0):
            raise OSError(failure, os.strerror(failure))
        self._real_rename(*names)
        self._live()

    # ── what happens ────────────────────────────────────────────────────────────────

    def step(self) -> None:
        """Have something happen."""
        what = self.dice.choices(
            (self.send, self.send_raw, self.flush, self.run, self.rotate, self.wait, self.fail,
             self.retry, self.switch, self.move, self.restart),
            (30, 5, 12, 25, 4, 4, 5, 6, 4, 3, 5),
        )[0]  # fmt: skip
        what()

    def send(self) -> None:
        """Send some lines of a stream, as one who goes on where the sink is."""
        name = self.dice.choice(NAMES)
        stream, destination = self.disk.stream(name), self.disk.open(self.files[name])
        if destination.trouble is not None or stream.enqueued < self.synced[name]:
            return
        pieces = []
        for _ in range(self.dice.randrange(1, 4)):
            pieces.append(lines(name, stream.enqueued // _SIZE, self.dice.randrange(1, 9)))
            stream.enqueued += len(pieces[-1])
        destination.put(Write(pieces, sum(map(len, pieces)), stream))

    def send_raw(self) -> None:
        """Send a line without a receipt."""
        self.disk.write(lines("r", self.raw, 1), name=self.dice.choice(list(self.files.values())))
        self.raw += 1

    def flush(self) -> None:
        """Have a file synced."""
        self.disk.sync(name=self.dice.choice(list(self.files.values())))

    def run(self) -> None:
        """Let the disk's threads work, or the reactor, or both."""
        with self.system():
            for turns in self.dice.choice(((0,), (1,), (0, 1), (0, 1, 0, 1))):
                (self.disk.reactor.turns if turns else self.disk.threads).run()
        self.in_doubt &= bool(self.disk.reactor.turns.waiting or self.disk.threads.waiting)

    def rotate(self) -> None:
        """Close the files."""
        self.disk.store.rotate()

    def wait(self) -> None:
        """Let time pass, in which files are closed that nobody writes to."""
        self.disk.reactor.advance(self.dice.choice((1, 20)))
        self.disk.store._look_after()

    def fail(self) -> None:
        """Have a call of the system fail, some time."""
        call = self.dice.choice(("writev", "fdatasync", "rename"))
        self.fails[call] = errno.ENOSPC if call == "rename" else errno.EIO
        if call == "writev" and self.dice.random() < 0.5:
            self.fails[call] = errno.ENOSPC

    def retry(self) -> None:
        """Open what has failed anew."""
        self.disk.store.retry()

    def switch(self) -> None:
        """Have a stream go on in another file, as its sender does when all of it is synced."""
        name = self.dice.choice(NAMES)
        stream = self.disk.stream(name)
        if stream.enqueued == stream.durable:
            self.files[name] = self.dice.choice("abc")

    def move(self) -> None:
        """Move a file, as others do that rotate files."""
        name = self.dice.choice("abc")
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.path / name, self.path / f"{name}.{self.dice.randrange(10**9)}")

    def restart(self) -> None:
        """Kill the process after some calls of the system, and begin another."""
        self.lives = self.dice.randrange(8)
        with contextlib.suppress(Killed), self.system():
            self.disk.run()
            self.disk.store.sync()
            self.disk.run()
        self.lives = -1
        self.in_doubt = False
        self.fails.clear()
        power = self.dice.random() < 0.4
        old = self.disk
        old.write_journal(
            self.dice.randrange(old.synced_lines, len(old.journal) + 1) if power else None
        )
        if power:
            self._lose_power()
        for one in old.store.destinations.values():
            if one._file._file is not None:
                one._file._file.close()
        old.folder.close()
        self.disk = self._new_disk()
        boot = "another boot" if power else "this boot"
        with self.system():
            found = recover(self.disk.folder, "~journal", boot, 0.0)
        self.disk.go_on(found)
        self.check(self.synced if power else self.kept)
        self.kept = {name: self.disk.stream(name).enqueued for name in NAMES}
        self.synced = dict(self.kept)

    def _lose_power(self) -> None:
        for path in self.path.iterdir():
            status = path.stat()
            kept = self.on_disk.get(status.st_ino, 0)
            if "journal" not in path.name and status.st_size > kept:
                os.truncate(path, self.dice.randrange(kept, status.st_size + 1))

    # ── what has to hold ────────────────────────────────────────────────────────────

    def check(self, promised: dict[str, int]) -> None:
        """See that what was promised is there, and is what was sent."""
        for name, least in promised.items():
            stream = self.disk.stream(name)
            assert stream.enqueued >= least, f"{name}: {least} bytes were promised"
            found = find_map(self.path, name)
            held = b"" if found is None else b"".join(data for data, _, _ in found.chunks())
            sent = lines(name, 0, stream.enqueued // _SIZE)
            assert held[: len(sent)] == sent, f"{name}: other bytes"

    def finish(self) -> None:
        """End with everything on disk, and see that no line is torn or there twice."""
        self.fails.clear()
        self.disk.store.retry()
        for name in set(self.files.values()):
            self.disk.sync(name=name)
        with self.system():
            self.disk.run()
        self.restart()
        seen: set[bytes] = set()
        for path in self.path.iterdir():
            # Of a file that others have moved nothing is cut: it might be one of theirs.
            if "journal" not in path.name and "." not in path.name:
                for line in path.read_bytes().splitlines(keepends=True):
                    assert _LINE.fullmatch(line), f"{path.name}: {line!r} is torn"
                    assert line not in seen, f"{path.name}: {line!r} is there twice"
                    seen.add(line)
        self.disk.folder.close()


def live(folder: Path, seed: int, sync: str, steps: int) -> None:
    """Have so much happen in a world.

    :raises AssertionError: with the seed, where something does not hold.
    """
    folder.mkdir()
    world = World(folder, seed, sync)
    try:
        for _ in range(steps):
            world.step()
        world.finish()
    except Exception as error:
        error.add_note(f"seed {seed}, sync {sync}")
        raise
