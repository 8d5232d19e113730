"""The streams of a sink: who sends which, which may begin, and which are forgotten.

This module must not know how anything is written, nor how senders speak.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from socketsuite.storage.destination import Destination
from socketsuite.storage.journal_lines import Entry, StreamAdded, StreamGone, Used
from socketsuite.storage.queue_items import Rotate
from socketsuite.storage.streams import Stream, Streams

_MOST_LISTED = 100
_MOST_SAID = 1000
_STEP = 10.0
"""Seconds by which a clock is not set by being corrected a little."""


class RefusedError(Exception):
    """A stream cannot be sent now; *code* and text are for its sender."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class StreamRegistry:
    """All streams that a sink knows.

    :param most: how many there may be.
    :param own_files: whether each has files of its own.
    :param say: has the journal say something.
    :param seconds: a clock that nobody sets.
    """

    def __init__(
        self,
        most: int,
        own_files: bool,
        say: Callable[[list[Entry]], object],
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._own_files = own_files
        self._say = say
        self._seconds = seconds
        self._clocks = time.time(), seconds()
        self.streams = Streams(most)

    def begin(self, streams: list[Stream], last_number: int) -> None:
        """Know *streams*, of an earlier process."""
        self.streams.by_name = {one.name: one for one in streams}
        self.streams.last_number = last_number

    def claim(self, name: str, sender: Any) -> Stream:
        """Return the stream *name* for *sender*, who alone sends it from now on.

        :raises RefusedError: when that cannot be.
        """
        stream = self.streams.by_name.get(name)
        if stream is None:
            stream = self._add(name)
        elif stream.sender is not None and stream.sender is not sender:
            if not stream.sender.is_silent():
                raise RefusedError("in-use", "another connection sends this stream")
            stream.sender.replaced()
        stream.sender = sender
        stream.used = time.time()
        return stream

    def _add(self, name: str) -> Stream:
        if self.streams.full:
            raise RefusedError("full", "the sink knows as many streams as it may")
        stream = self.streams.add(name, time.time())
        stream.fresh = self._own_files
        self._say([StreamAdded(stream.number, name), Used(stream.number, int(stream.used))])
        return stream

    def begin_file(self, stream: Stream, destination: Destination) -> None:
        """See that a stream does not begin behind what another of its name left."""
        if stream.fresh:
            stream.fresh = False
            destination.put(Rotate())

    def release(self, stream: Stream, sender: Any) -> None:
        """*sender* sends *stream* no more."""
        if stream.sender is sender:
            stream.sender = None
            stream.used = time.time()
            self._say([Used(stream.number, int(stream.used))])

    def expire(self, seconds: float) -> None:
        """Forget the streams that nobody has sent for so long."""
        self._follow_the_clock()
        for stream in self.streams.expired(time.time() - seconds):
            # Of others the journal may yet have to say something.
            if stream.enqueued == stream.durable:
                del self.streams.by_name[stream.name]
                self._say([StreamGone(stream.number)])

    def _follow_the_clock(self) -> None:
        """Nobody was silent for longer because somebody has set the clock."""
        (wall, own), (was_wall, was_own) = (time.time(), self._seconds()), self._clocks
        self._clocks = wall, own
        step = wall - was_wall - (own - was_own)
        if abs(step) < _STEP:
            return
        streams = list(self.streams.by_name.values())
        for stream in streams:
            stream.used = min(stream.used + max(step, 0.0), wall)
        for at in range(0, len(streams), _MOST_SAID):
            some = streams[at : at + _MOST_SAID]
            self._say([Used(one.number, int(one.used)) for one in some])

    def listed(self) -> list[dict[str, object]]:
        """Return what there is to say of streams, the last used first."""
        known = sorted(self.streams.by_name.values(), key=lambda one: -one.used)
        return [
            {
                "stream": one.name,
                "offset": one.receipt[0],
                "hash": one.receipt[1].hex(),
                "sending": one.sender is not None,
            }
            for one in known[:_MOST_LISTED]
        ]
