"""Brings files and journal together when a sink starts: after a good end, a kill, or a power loss.

What is behind the last commit was promised to nobody, and is cut off.  A damaged journal is kept
aside; of what it said, what can be proven by the data is gone on with.  All of this blocks.  This
module must not know how a sink runs.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from socketsuite.storage import events
from socketsuite.storage.beneath import Folder
from socketsuite.storage.damaged_journal import FileNames, kernel_kept_all, rebuild
from socketsuite.storage.journal_file import compacted, files_of, lines_of, replace
from socketsuite.storage.journal_hole import cut_off_hole
from socketsuite.storage.journal_lines import (
    HEADER,
    JournalError,
    read,
)
from socketsuite.storage.journal_state import JournalState, KnownFile
from socketsuite.storage.moved import find_known
from socketsuite.storage.segments import is_segment_of
from socketsuite.storage.setup import KnownAs
from socketsuite.storage.stream_recovery import recede, restored
from socketsuite.storage.streams import Stream

_MOST_TRIES = 20
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class JournalInUseError(OSError):
    """Another process has the journal."""


@dataclass
class Recovery:
    """What a sink begins with.

    :ivar descriptor: of the journal, to append to.
    :ivar files: files that are appended to, by name.
    :ivar told: what an operator should know, each with its level.
    """

    state: JournalState
    descriptor: int = -1
    files: dict[str, KnownAs] = field(default_factory=dict)
    streams: list[Stream] = field(default_factory=list)
    told: list[tuple[object, str]] = field(default_factory=list)


def boot_id() -> str:
    """Return what tells this run of the machine from the next; empty where nothing does."""
    try:
        with open(_BOOT_ID) as file:
            return file.read().strip()
    except OSError:
        return ""


def has_journal(folder: Folder, name: str) -> bool:
    """Whether there is a journal, which everything that is written has to be said to."""
    with contextlib.suppress(FileNotFoundError):
        folder.stat(name)
        return True
    return False


def recover(
    folder: Folder,
    name: str,
    boot: str,
    now: float,
    is_closed: Callable[[str], bool] = lambda _: False,
    close: Callable[[str], bool] = lambda _: False,
) -> Recovery:
    """Find out what there is, and write the journal anew.

    :param is_closed: whether the file of this name is known by it to be closed: the journal may
        not have come to say so.
    :param close: closes the file of this name, if it keeps its name then; else it is renamed.
    :raises JournalInUseError: when another process has it.
    :raises OSError: when it cannot be read or written.
    """
    try:
        old = _locked(folder, name)
    except FileNotFoundError:
        made = Recovery(JournalState())
        made.descriptor = replace(folder, name, compacted(made.state, None))
        return made
    with old:
        state, damage = _replay(old)
        cut = cut_off_hole(folder, name, old) if damage and not kernel_kept_all(state, boot) else 0
        if cut:
            state, damage = _replay(old)
        found = Recovery(state)
        if cut:
            why = "a power loss left a hole there, which had not been synced"
            found.told.append((events.TailCut(name, cut, why), "warn"))
        if damage:
            names = FileNames(is_closed, close)
            found.told += rebuild(folder, name, old, state, damage, boot, now, names)
        else:
            _check_files(folder, old, found, boot)
        found.streams, dropped = restored(folder, state)
        found.told += [(event, "error") for event in dropped]
        for file in state.files.values():
            file.closed = file.closed or is_closed(file.name)
            if not file.closed:
                found.files[file.name] = KnownAs(file.number, file.inode, file.written, True)
        state.forget_tails()
        _forget_files(old, state)
        found.descriptor = replace(folder, name, compacted(state, old))
    return found


def _forget_files(old: BinaryIO, state: JournalState) -> None:
    """Forget closed files that hold nothing of a known stream: or the journal would grow."""
    closed = [file.number for file in state.files.values() if file.closed]
    needed = files_of(old, state.streams) if closed else set[int]()
    for number in closed:
        if number not in needed:
            del state.files[number]


def _locked(folder: Folder, name: str) -> BinaryIO:
    """Open the journal, which nobody else can from now on until it is closed.

    :raises JournalInUseError: when somebody else has it.
    """
    for _ in range(_MOST_TRIES):
        old = os.fdopen(folder.open(name, os.O_RDONLY), "rb")
        try:
            fcntl.flock(old.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another process may have written it anew, and ended, since it was opened.
            if folder.stat(name).st_ino == os.fstat(old.fileno()).st_ino:
                return old
        except BlockingIOError:
            old.close()
            raise JournalInUseError(f"{name} is in use by another process") from None
        except BaseException:
            old.close()
            raise
        old.close()
    raise OSError(
        errno.ESTALE, "its inode is another each time: keep it on another file system", name
    )


# ── reading the journal ─────────────────────────────────────────────────────────────────


def _replay(old: BinaryIO) -> tuple[JournalState, str]:
    """Return what the journal comes to, and what is wrong with it, if that is more than its end."""
    state = JournalState(tails=True)
    old.seek(0)
    if old.readline(len(HEADER)) != HEADER:
        return state, "it does not begin as a journal does"
    trouble = damage = ""
    for entries in read(lines_of(old)):
        if isinstance(entries, JournalError):
            trouble = trouble or str(entries)
            continue
        # A line that a crash tore is the last one.
        damage = damage or trouble
        try:
            state.apply(entries)
        except JournalError as error:
            damage = damage or str(error)
    return state, damage


# ── files ───────────────────────────────────────────────────────────────────────────────


def _check_files(folder: Folder, old: BinaryIO, found: Recovery, boot: str) -> None:
    """Cut off what was not committed; find what is missing; let streams recede to what is there."""
    state = found.state
    kept_all = kernel_kept_all(state, boot)
    cut_bytes = 0
    short = False
    # A segment whose name the journal does not have was closed behind the last commit.
    named = {file.name for file in state.files.values()}
    for file in list(state.files.values()):
        name = file.name
        status = find_known(folder, file)
        if status is None:
            if not file.closed:
                found.told.append((events.FileReplaced(file.name, "removed"), "warn"))
            del state.files[file.number]
            continue
        trusted = file.written if kept_all else file.durable
        if status < trusted:
            found.told.append((events.FileShort(file.name, trusted - status), "error"))
            trusted = status
        if status > trusted and state.ended and not file.closed:
            trusted = status  # somebody else has written while the sink was not there
        ours = file.name == name or is_segment_of(file.name, name)
        if status > trusted and ours and (not file.closed or file.name not in named):
            _cut(folder, file, trusted)
            cut_bytes += status - trusted
            cut = events.TailCut(file.name, status - trusted, "it was never committed")
            found.told.append((cut, "warn"))
        elif status > trusted and not ours:
            # Whose bytes they are cannot be known: who moved it may have written there.
            how = f"moved to {file.name}, with {status - trusted} bytes that were never committed"
            found.told.append((events.FileReplaced(name, how), "warn"))
        short = short or trusted < file.written
        if file.durable < trusted:
            _sync(folder, file)
        file.written = file.durable = trusted
    if short or state.receded:
        recede(folder, state, old)
    if not state.ended:
        found.told.append(
            (events.Recovered(len(state.streams), len(state.files), cut_bytes), "warn")
        )
    state.ended = True


def _sync(folder: Folder, file: KnownFile) -> None:
    """Have the disk keep what the process before had written, and not synced."""
    descriptor = folder.open(file.name, os.O_RDWR)
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    with contextlib.suppress(PermissionError):
        folder.sync_folder_of(file.name)


def _cut(folder: Folder, file: KnownFile, length: int) -> None:
    descriptor = folder.open(file.name, os.O_RDWR)
    try:
        os.ftruncate(descriptor, length)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
