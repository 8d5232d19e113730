"""What becomes of closed segments, in a thread of its own: compressed, and removed when too many.

The quota is of all files beneath the folder that this sink has written.  This module must not know
who closes segments.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from functools import partial

from socketsuite.storage import events
from socketsuite.storage.beneath import Folder
from socketsuite.storage.finished import DEEPEST, FinishedFiles, Found, files_beneath
from socketsuite.storage.names import is_numbered, is_own_name
from socketsuite.storage.numbered import list_closed
from socketsuite.storage.segments import (
    Compression,
    Segment,
    clean,
    compress,
    find_segments,
    list_segments,
    lower_priority,
    over_quota,
    surplus,
)
from socketsuite.storage.setup import SegmentClosed

_COUNT_SECONDS = 1.0
"""Files are counted anew no oftener, while there is no room."""


class Upkeep:
    """Looks after closed segments.

    :param keep: segments that are kept of each name; 0 is all.
    :param quota: bytes that may be used; 0 is no limit.
    :param tell: is told what an operator should know, with its level.
    :param gone: is told of each segment that was removed, before another has its name.
    :param finished: knows which files are over, where a template names many.
    """

    def __init__(
        self,
        folder: Folder,
        how: Compression,
        keep: int,
        quota: int,
        tell: Callable[[object, str], object],
        gone: Callable[[str], object],
        finished: FinishedFiles | None = None,
    ) -> None:
        self._folder = folder
        self._how = how
        self._keep = keep
        self._quota = quota
        self._tell = tell
        self._gone = gone
        self._finished = finished
        self._work: queue.SimpleQueue[SegmentClosed | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._used = self._granted = 0
        self._then: Callable[[], object] = lambda: None
        self._counted = -_COUNT_SECONDS
        self._plain: str | None = None

    def start(self, only: str) -> None:
        """Begin; finish what an earlier process began.

        :param only: the name of the only file there is; empty when there may be many.
        """
        self._plain = only or None
        clean(self._folder, 0 if only else DEEPEST)
        if self._finished is not None:
            self._finished.clean()
        if self._quota:
            self._count()
        threading.Thread(target=self._run, name="segments", daemon=True).start()

    def _segments(self, files: list[Found] | None = None) -> list[Segment]:
        if self._plain is not None:
            return list_segments(self._folder, self._plain)
        segments = list(find_segments(self._folder, DEEPEST))
        if self._finished is not None and self._finished.counted:
            segments += self._finished.closed(self._files() if files is None else files)
        return segments

    def _files(self) -> list[Found]:
        """Return all files that are not the sink's own; of a name alone that one."""
        if self._plain is not None:
            with contextlib.suppress(OSError):
                return [(self._plain, self._folder.stat(self._plain))]
            return []
        return [one for one in files_beneath(self._folder) if not is_own_name(one[0])]

    def _of(self, file: str) -> list[Segment]:
        if is_numbered(file):
            return list_closed(self._folder, file)
        return list_segments(self._folder, file)

    def closed(self, segment: SegmentClosed) -> None:
        """Have a closed segment looked after."""
        self._work.put(segment)

    def stop(self, then: Callable[[], object]) -> None:
        """End, and call *then*, in its thread.

        A compression that is under way is left for the next process.
        """
        self._then = then
        self._stopping.set()
        self._work.put(None)

    # ── in the disk's threads ───────────────────────────────────────────────────────

    def no_room(self, size: int) -> str | None:
        """Count *size* bytes more; return why there is no room for them, ``None`` when there is."""
        if not self._quota:
            return None
        with self._lock:
            if self._used + size > self._quota:
                self._make_room(size)
            if self._used + size > self._quota:
                return "quota"
            self._used += size
            self._granted += size
            return None

    def written(self, size: int) -> None:
        """*size* bytes that there was room for are in their file now, or will not be."""
        if self._quota:
            with self._lock:
                self._granted -= size

    def _make_room(self, size: int) -> None:
        now = time.monotonic()
        if now < self._counted + _COUNT_SECONDS:
            return
        # Others may have deleted files since: what goes must really be too much.
        segments, over = self._count()
        finished, ended = self._finished, set(over)
        in_use = self._used - sum(one.size for one in (*segments, *over)) + size
        for segment in over_quota([*segments, *over], self._quota, in_use):
            remove = partial(self._remove, segment, "quota")
            if finished is not None and segment in ended:
                finished.remove(segment, remove)
            else:
                remove()
        self._counted = now

    def _count(self) -> tuple[list[Segment], list[Segment]]:
        """Count what is used; return segments, and files that are over."""
        files = self._files()
        segments = self._segments(files)
        over = self._finished.over(files) if self._finished is not None else []
        # What there was room for just now may be in no file yet.
        in_files = sum(status.st_size for _, status in files)
        own = sum(one.size for one in segments if is_own_name(one.name))
        self._used = in_files + own + self._granted
        return segments, over

    # ── in its own thread ───────────────────────────────────────────────────────────

    def _run(self) -> None:
        lower_priority()
        self._guarded("", self._compress_all)
        while (closed := self._work.get()) is not None:
            self._guarded(closed.segment, partial(self._look_after, closed.name))
        self._then()

    def _guarded(self, name: str, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the segments after it are looked after, too
            why = getattr(error, "strerror", None) or repr(error)
            self._tell(events.SegmentNotCompressed(name, why), "error")

    def _compress_all(self) -> None:
        for segment in self._segments():
            if self._stopping.is_set():
                return
            self._guarded(segment.name, partial(self._compress, segment))

    def _look_after(self, file: str) -> None:
        for segment in self._of(file):
            self._guarded(segment.name, partial(self._compress, segment))
        if self._keep:
            with self._lock:
                for segment in surplus(self._of(file), self._keep):
                    self._remove(segment, "keep")

    def _compress(self, segment: Segment) -> None:
        if self._how == "none" or segment.compression != "none" or self._stopping.is_set():
            return
        try:
            made = compress(self._folder, segment, self._how, stop=self._stopping)
        except FileNotFoundError:
            return  # it was removed meanwhile
        if made is not None:
            with self._lock:
                self._used += made.size - segment.size

    def _remove(self, segment: Segment, why: str) -> None:
        try:
            self._folder.unlink(segment.name)
        except OSError:
            return
        self._used -= segment.size
        self._tell(events.SegmentRemoved(segment.name, why), "info")
        self._gone(segment.name)
