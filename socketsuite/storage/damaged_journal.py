"""Goes on with what is certain of a journal that was damaged, and sets the journal aside.

All of this blocks.  This module must not know how a sink runs.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from socketsuite.storage import events
from socketsuite.storage.beneath import Folder
from socketsuite.storage.extents import whole_tree
from socketsuite.storage.journal_file import lines_of
from socketsuite.storage.journal_lines import HEADER, JournalError, read
from socketsuite.storage.journal_state import JournalState, KnownFile, KnownStream
from socketsuite.storage.moved import find_known
from socketsuite.storage.segments import list_segments, next_number, segment_name
from socketsuite.storage.stream_recovery import all_extents, recede


class FileNames(NamedTuple):
    """What names tell of files.

    :ivar is_closed: whether the file of this name is closed.
    :ivar close: closes the file of this name, if it keeps its name then; else it is renamed.
    """

    is_closed: Callable[[str], bool]
    close: Callable[[str], bool]


def kernel_kept_all(state: JournalState, boot: str) -> bool:
    """Whether what was written is there, though nobody may have synced it."""
    return state.ended or (boot != "" and state.boot == boot)


def rebuild(
    folder: Folder,
    name: str,
    old: BinaryIO,
    state: JournalState,
    damage: str,
    boot: str,
    now: float,
    names: FileNames,
) -> list[tuple[object, str]]:
    """Set a damaged journal aside, and keep of each stream what is certain.

    That is what the journal says before the damage, or what the data prove, if that is more.

    :param state: what the whole lines of the journal come to; changed.
    :return: what an operator should know, each with its level.
    """
    told: list[tuple[object, str]] = []
    sound = _sound_streams(folder, old, boot, names)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    aside = f"{name}~damaged-{stamp}"
    with contextlib.suppress(FileNotFoundError):
        folder.unlink(aside)
    # Until there is a new one in its place, this one is there, too: who knows when we are killed.
    folder.link(name, aside)
    folder.sync_folder_of(aside)
    for file in list(state.files.values()):
        status = _find(folder, file, names)
        if status is None:
            del state.files[file.number]
            continue
        file.written = file.durable = status
        if not file.closed:
            _close(folder, file, names)
    extents = all_extents(old, state.streams)
    before = len(state.streams)
    for stream in list(state.streams.values()):
        proven = whole_tree(folder, state.files, extents[stream.number], stream)
        certain = sound.get(stream.number)
        if certain is not None and certain.offset > (proven or 0):
            state.streams[stream.number] = certain
            continue
        if proven is None:
            del state.streams[stream.number]
            why = "the journal was damaged, and the data do not prove how far it had come"
            told.append((events.StreamDropped(stream.name, why), "warn"))
            continue
        stream.offset = proven
        stream.tail = []
        stream.trouble = ""
    aside_event = events.JournalSetAside(
        name, aside, damage, len(state.streams), before - len(state.streams)
    )
    told.append((aside_event, "error"))
    state.ended = True
    return told


def _sound_streams(
    folder: Folder, old: BinaryIO, boot: str, names: FileNames
) -> dict[int, KnownStream]:
    """Return, by number, what streams were before the damage, as far as files have it."""
    sound = _replay_sound(old)
    for file in list(sound.files.values()):
        status = _find(folder, file, names)
        if status is None:
            del sound.files[file.number]
            continue
        trusted = file.written if kernel_kept_all(sound, boot) else file.durable
        file.written = file.durable = min(status, trusted)
    recede(folder, sound, old)
    return sound.streams


def _replay_sound(old: BinaryIO) -> JournalState:
    """Return what a damaged journal comes to before the damage.

    After a power loss that is all that was confirmed: of lines that were not synced the disk may
    have a later one, and not the one before it.
    """
    state = JournalState(tails=True)
    old.seek(0)
    if old.readline(len(HEADER)) == HEADER:
        with contextlib.suppress(JournalError):
            for entries in read(lines_of(old)):
                if isinstance(entries, JournalError):
                    break
                state.apply(entries)
    return state


def _find(folder: Folder, file: KnownFile, names: FileNames) -> int | None:
    """Return how long *file* is, be it compressed; what had closed it may be what is lost."""
    file.closed = file.closed or names.is_closed(file.name)
    return find_known(folder, file)


def _close(folder: Folder, file: KnownFile, names: FileNames) -> None:
    """Begin no more where it is not known what a file holds."""
    if names.close(file.name):
        file.closed = True
        return
    number = next_number(list_segments(folder, file.name))
    segment = segment_name(file.name, number)
    folder.rename(file.name, segment)
    folder.sync_folder_of(segment)
    file.name, file.closed = segment, True
