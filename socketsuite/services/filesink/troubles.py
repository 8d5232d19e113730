"""What is wrong with a sink's files and journal: told once, when it begins and ends, and in health.

This module must not know how files are written, nor who sends.
"""

from __future__ import annotations

from socketsuite.contract import Level, LogEvents
from socketsuite.storage import events

_MOST_NAMED = 3


class Troubles:
    """What is wrong now.

    :param emit: logs what an operator should know.
    :ivar journal_failed: why nothing can be confirmed any more.
    """

    def __init__(self, emit: LogEvents) -> None:
        self._emit = emit
        self._files: dict[str, str] = {}
        self._journal_full = False
        self.journal_failed: str | None = None

    def tell(self, event: object, level: Level) -> None:
        """Log *event*."""
        self._emit(event, level=level)

    def file_changed(self, name: str, failed: str | None, waits_for: str | None) -> None:
        """Take note of how the file *name* is: why it failed, or is waited for."""
        trouble = failed or waits_for
        if trouble == self._files.get(name):
            return
        if failed is not None:
            # Without the journal no file can be written, which was told.
            if self.journal_failed is None:
                self.tell(events.FileFailed(name, failed), "error")
        elif waits_for is not None:
            self.tell(events.NoRoom(name, waits_for), "error")
        else:
            self.tell(events.RoomAgain(name), "warn")
        if trouble is None:
            del self._files[name]
        else:
            self._files[name] = trouble

    def not_written(self, names: list[str]) -> None:
        """Tell that the sink ends while these files have yet to be written."""
        self.tell(events.NotWritten(len(names), ", ".join(names[:_MOST_NAMED])), "error")

    @property
    def of_files(self) -> bool:
        """Whether a file has failed or is waited for."""
        return bool(self._files)

    def journal_is_full(self, name: str, full: bool) -> None:
        """Take note of whether the journal waits for room."""
        self._journal_full = full
        if full:
            self.tell(events.NoRoom(name, "disk-full"), "error")
        else:
            self.tell(events.RoomAgain(name), "warn")

    def journal_has_failed(self, name: str, why: str) -> None:
        """Take note that the journal cannot be written any more."""
        self.journal_failed = why
        self.tell(events.JournalFailed(name, why), "error")

    def health(self, journaled: bool) -> dict[str, bool | str | None]:
        """Return what is to be said of files and journal."""
        named = [f"{name}: {why}" for name, why in self._files.items()]
        more = len(named) - _MOST_NAMED
        text = "; ".join(named[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
        checks: dict[str, bool | str | None] = {"files": text or True}
        if journaled:
            full = "disk-full" if self._journal_full else None
            checks["journal"] = self.journal_failed or full or True
        return checks
