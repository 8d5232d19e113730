"""Writes lines to a descriptor from a thread of its own, so that nobody waits for the log.

A pipe that nobody reads, a stopped terminal or a disk that hangs block that thread alone.  The
queue is bounded: what does not fit is dropped and counted, and one line says how many when it
flows again.  This module must not know what a line says, nor where the descriptor leads.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import threading
from collections.abc import Callable

# What waits is bounded by both; as much again can be on its way out.
MOST_LINES = 32_768
MOST_CHARACTERS = 4 << 20
# After each write the thread sleeps so long, that many lines may leave by one write.
_NAP_SECONDS = 0.01
_RETRY_SECONDS = 1.0
# A pipe takes so much as a whole or, while it is full, nothing: what has left can be counted.
_PIECE = select.PIPE_BUF
_UNREAD = "whoever reads the log did not keep up"

Notice = Callable[[int, str], str]


class Writer:
    """A bounded queue of lines in front of *descriptor*, and the thread that empties it.

    A line is handed over within :data:`_NAP_SECONDS`, and at once when it is the first for a
    while.  Lines are kept until :meth:`start`, which must come after the last fork of a process
    that goes into the background: a thread does not survive a fork.

    The descriptor's flags are not touched, since other processes may share it; it may be
    blocking or not.

    :param notice: returns the line that says how many lines were dropped, and why.
    :param close: close the descriptor when the last line is written.
    :ivar lost: how many lines have been dropped, whether that has been told by now or not.
    """

    def __init__(self, descriptor: int, notice: Notice, *, close: bool = False) -> None:
        self._descriptor = descriptor
        self._close = close
        self._notice = notice
        # Of the kind that its owner may take twice: a collected object may log in between.
        self._lock = threading.RLock()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._end_asked = threading.Event()
        self._lines: list[str] = []
        self._characters = 0
        self._dropped = 0
        self.lost = 0
        self._asleep = False
        self._ending = False
        self._successor: Writer | None = None
        self._thread: threading.Thread | None = None
        # Only the thread writes these.
        self._batch: list[str] = []
        self._dropped_since = 0
        self._head = 0
        self._written = 0
        self._size = -1
        self._torn = False
        self._owed = 0
        self._why = _UNREAD

    def start(self) -> None:
        """Begin to write."""
        with self._lock:
            self._asleep = True
            if self._lines:
                self._rouse()

    def write(self, line: str) -> None:
        """Queue *line*, which ends in a newline; callable from every thread, never waits."""
        with self._lock:
            if len(self._lines) >= MOST_LINES or self._characters >= MOST_CHARACTERS:
                self._dropped += 1
                self.lost += 1
                return
            self._lines.append(line)
            self._characters += len(line)
            if self._asleep:
                self._rouse()

    def end(self, successor: Writer | None = None) -> None:
        """Write what is queued, and then no more; does not wait for it.

        :param successor: tells of what was lost here and could not be told.
        """
        with self._lock:
            self._ending, self._successor = True, successor
            if self._thread is None:
                self._rouse()
        self._end_asked.set()
        self._bell.put(None)

    def finish(self, seconds: float) -> tuple[int, str]:
        """Write what is queued, in at most *seconds*.

        :return: how many lines could not be written, and why.
        """
        self.end(self._successor)
        if self._thread is not None:
            self._thread.join(seconds)
        with self._lock:
            dropped = self._owed + self._dropped_since + self._dropped
            return dropped + self._not_written + len(self._lines), self._why

    @property
    def finished(self) -> bool:
        """Whether the thread has ended, as it does some time after :meth:`end`."""
        return self._thread is None or not self._thread.is_alive()

    def _rouse(self) -> None:
        """Wake the thread, or start it where this process has none."""
        self._asleep = False
        if self._thread is not None:
            self._bell.put(None)
            return
        thread = threading.Thread(target=self._run, name="log writer", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # No thread is to be had now; the next line asks again.
            self._asleep = True
        else:
            self._thread = thread

    # ── in the thread ───────────────────────────────────────────────────────────────

    def _run(self) -> None:
        more = True
        while more:
            self._take()
            more = self._rest(self._put())
        if self._owed and self._successor is not None:
            self._successor.write(self._notice(self._owed, self._why))
            self._owed = 0
        if self._close:
            with contextlib.suppress(OSError):  # what a full or distant disk says only now
                os.close(self._descriptor)

    def _take(self) -> None:
        """Take every line there is, and the number of those that were dropped after them."""
        with self._lock:
            self._batch, self._lines = self._lines, []
            self._characters = self._head = self._written = 0
            self._size = -1
            self._dropped_since, self._dropped = self._dropped, 0

    def _put(self) -> bool:
        """Write what was taken, after what has to be said of losses; false if that failed."""
        if not self._batch and not self._owed and not self._dropped_since:
            return True
        # After a write that failed in mid-line the next one begins a line of its own.
        head = "\n" * self._torn
        if self._owed:
            head += self._notice(self._owed, self._why)
        self._head = len(head.encode())
        data = (head + "".join(self._batch)).encode("utf-8", "backslashreplace")
        self._size = len(data)
        failed: OSError | None = None
        try:
            self._send(data)
        except OSError as error:
            failed = error
        if self._written:
            self._torn = data[self._written - 1 : self._written] != b"\n"
        self._settle(failed, told=self._written >= self._head)
        return failed is None

    def _settle(self, failed: OSError | None, *, told: bool) -> None:
        """Take note of what was lost of the batch; *told* is whether earlier losses were."""
        with self._lock:
            not_written = self._not_written
            self.lost += not_written
            self._owed = (0 if told else self._owed) + not_written + self._dropped_since
            self._dropped_since = 0
            self._why = _UNREAD if failed is None else _cause(failed)
            self._batch = []

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while self._written < len(view):
            try:
                piece = view[self._written : self._written + _PIECE]
                self._written += os.write(self._descriptor, piece)
            except BlockingIOError:
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll()

    @property
    def _not_written(self) -> int:
        """How many lines of the batch have not left as a whole."""
        if self._written == self._size:
            return 0
        left, written = len(self._batch), self._written - self._head
        for line in self._batch:
            written -= len(line.encode("utf-8", "backslashreplace"))
            if written < 0:
                break
            left -= 1
        return left

    def _rest(self, flows: bool) -> bool:
        """Wait until there is something to write; false when there never will be."""
        if self._owed and flows:
            return True
        if not self._ending:
            # Not by a get() with a time-out: one that a signal interrupts (setuid(2) sends one to
            # each thread) as it runs out is without any from then on, in CPython 3.11.
            self._end_asked.wait(_NAP_SECONDS if flows else _RETRY_SECONDS)
        elif not flows:
            return False
        with self._lock:
            if self._lines or self._owed or self._dropped:
                return True
            if self._ending:
                return False
            self._asleep = True
        self._bell.get()
        return True


def _cause(error: OSError) -> str:
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
