"""``status --watch`` on a terminal: the live screen and its keys.

The last frame stays on the terminal when it ends.  This module must not know where a status
comes from, nor how its lines are made.
"""

from __future__ import annotations

import os
import re
import select
import signal
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rich.text import Text
from twisted.internet.defer import Deferred

from socketsuite.cli import status_connections, status_view, terminal
from socketsuite.cli.columns import rendered
from socketsuite.cli.descriptors import InputDescriptor
from socketsuite.cli.output import Output
from socketsuite.cli.stopping import last_acts

# xterm's, and every terminal's since: the other screen, the cursor, clearing.
_ENTER = b"\x1b[?1049h\x1b[?25l"
_LEAVE = b"\x1b[?25h\x1b[?1049l"
_HOME, _TO_END_OF_LINE, _TO_END = "\x1b[H", "\x1b[K", "\x1b[J"
_KEY = re.compile(rb"\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Za-z]|[^\x1b]")
_LINES = {b"\x1b[A": -1, b"\x1bOA": -1, b"k": -1, b"\x1b[B": 1, b"\x1bOB": 1, b"j": 1, b"\n": 1}
_PAGES = {b"\x1b[5~": -1, b"b": -1, b"\x1b[6~": 1, b" ": 1}
_ENDS = {b"\x1b[H": 0, b"\x1b[1~": 0, b"g": 0, b"\x1b[F": 1, b"\x1b[4~": 1, b"G": 1}
_HELP = "q quit  s sort  r reverse  ↑↓ PgUp PgDn scroll"


class Watch:
    """The screen: shows the status it was given last, as the keys and the size have it.

    :param enough: fired when the user has seen enough.
    """

    def __init__(self, reactor: Any, output: Output, enough: Deferred[None]) -> None:
        self._reactor = reactor
        self._output = output
        self._enough = enough
        self._status: status_connections.Status | None = None
        self._rates: status_connections.Rates = {}
        self._order = 0
        self._backwards = False
        self._top = 0
        self._page = 1
        self._count = 0
        self._frame: list[Text] = []
        self._before: list[Any] | None = None

    @contextmanager
    def on_screen(self) -> Iterator[None]:
        """Take the terminal, and give it back as it was, with the last frame on it."""
        self._enter()
        last_acts.append(self._leave_at_once)
        keys = InputDescriptor(self._reactor, 0, self._typed, lambda _: None)
        if self._before is not None:
            keys.resumeProducing()
        signal.signal(signal.SIGWINCH, lambda *_: self._reactor.callFromThread(self._draw))
        signal.signal(signal.SIGTSTP, self._suspend)
        try:
            yield
        finally:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            signal.signal(signal.SIGWINCH, signal.SIG_DFL)
            keys.stopProducing()
            last_acts.remove(self._leave_at_once)
            self._leave()
            for line in self._frame:
                self._output.line(rendered(line, colour=True))

    def show(self, status: status_connections.Status) -> None:
        """Show *status*, with rates since the one before."""
        self._rates = status_view.rates_of(self._status, status)
        self._status = status
        self._draw()

    def _enter(self) -> None:
        self._output.write(_ENTER)
        with suppress(OSError, termios.error):  # no keys where there is no keyboard of ours
            if os.tcgetpgrp(0) == os.getpgrp():
                self._before = termios.tcgetattr(0)
                tty.setcbreak(0, termios.TCSANOW)

    def _leave(self) -> None:
        if self._before is not None:
            with suppress(OSError, termios.error):
                termios.tcsetattr(0, termios.TCSANOW, self._before)
        self._output.write(_LEAVE)

    def _leave_at_once(self) -> None:
        writable = select.poll()
        writable.register(1, select.POLLOUT)
        if writable.poll(0):
            self._leave()

    def _suspend(self, *_: Any) -> None:
        self._leave()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._suspend)  # from here on it goes on again
        self._enter()
        self._reactor.callFromThread(self._draw)

    def _typed(self, data: bytes) -> None:
        for key in _KEY.findall(data):
            if key in (b"q", b"Q", b"\x04"):
                if not self._enough.called:
                    self._enough.callback(None)
                return
            if key == b"s":
                self._order = (self._order + 1) % len(status_connections.ORDERS)
            elif key == b"r":
                self._backwards = not self._backwards
            elif key in _ENDS:
                self._top = _ENDS[key] * self._count
            else:
                self._top += _LINES.get(key, 0) + _PAGES.get(key, 0) * self._page
        self._draw()

    def _draw(self) -> None:
        if self._status is None:
            return
        width, height = terminal.size(1)
        self._frame = self._lines(self._status, width, height)
        lines = [rendered(line, colour=True) + _TO_END_OF_LINE for line in self._frame]
        self._output.write((_HOME + "\r\n".join(lines) + _TO_END).encode())

    def _lines(self, status: status_connections.Status, width: int, height: int) -> list[Text]:
        """Return at most *height* lines: first of all connections, then the rest."""
        headings, rows = status_connections.connections(
            status, self._rates, width, self._order, backwards=self._backwards
        )
        head = [*status_view.head(status, self._rates, width), Text()]
        head = head[: max(0, height - 2 - min(len(rows), 3))]
        head += [headings] if height > 1 else []
        foot = 1 if height > 3 else 0
        self._count = len(rows)
        self._page = max(1, height - len(head) - foot)
        self._top = max(0, min(self._top, len(rows) - self._page))
        shown = rows[self._top : self._top + self._page]
        lines = [*head, *shown]
        if foot:
            where = f"{self._top + 1}-{self._top + len(shown)} of {len(rows)}  " if rows else ""
            help_ = Text(where + _HELP, style="dim")
            help_.truncate(width, overflow="ellipsis")
            lines.append(help_)
        return lines[:height]
