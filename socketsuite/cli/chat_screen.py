"""A chat on a terminal: the line that is typed, and above it the lines that have come.

Nothing but these lines is drawn, on the terminal's own screen, so the terminal scrolls them.
This module must not know of connections.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.shortcuts import CompleteStyle, PromptSession
from prompt_toolkit.styles import default_ui_style
from twisted.internet.defer import Deferred

from socketsuite.cli import terminal
from socketsuite.cli.chat_lines import ChatLine
from socketsuite.cli.chat_talk import Talk
from socketsuite.cli.stopping import last_acts
from socketsuite.wire.printable import printable

# Of the sixteen that every terminal has, those that are seen on black and on white.
_COLOURS = ("red", "green", "yellow", "blue", "magenta", "cyan")
_NICKS = [f"fg:ansi{colour}" for one in _COLOURS for colour in (one, f"bright{one}")]


def colour_of(nick: str) -> str:
    """Return the style of *nick*, the same every time."""
    return _NICKS[zlib.crc32(nick.casefold().encode("utf-8", "replace")) % len(_NICKS)]


class Screen:
    """The terminal of one person.

    :param bell: whether to ring, and to mark the line, where our nick is said.
    """

    def __init__(self, talk: Talk, *, bell: bool) -> None:
        self._talk = talk
        self._bell = bell
        self._connected = True
        self._reading: asyncio.Task[str] | None = None
        self._output = _output()
        self._session: PromptSession[str] = PromptSession(
            self._prompt,
            completer=_Completer(talk),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            enable_suspend=True,
            history=_History(talk),
            is_password=Condition(lambda: talk.is_secret(self._session.default_buffer.text)),
            key_bindings=_keys(),
            output=self._output,
            reserve_space_for_menu=0,
        )

    def show_connected(self, connected: bool) -> None:
        """Show in the prompt whether what is typed can be said.

        A password goes with the connection that asked for it: it is no line to be said later.
        """
        if not connected and self._talk.asks_password:
            self._session.default_buffer.reset()
            self._talk.asks_password = False
        self._connected = connected
        self._session.app.invalidate()

    @contextmanager
    def on_terminal(self) -> Iterator[None]:
        """Take the terminal, and give it back as it was, also where the process ends at once."""
        before = termios.tcgetattr(0)

        def restore() -> None:
            with suppress(OSError, termios.error):
                termios.tcsetattr(0, termios.TCSANOW, before)

        last_acts.append(restore)
        try:
            # Between two lines, too: what is typed then would be echoed.
            with self._session.input.raw_mode():
                yield
        finally:
            last_acts.remove(restore)

    async def read_line(self, beginning: str = "") -> str:
        """Return the next line that is typed, which may have several pasted into it.

        :param beginning: what stands there already.
        :raises EOFError: at Ctrl-D on an empty line.
        """
        prompting = self._session.prompt_async(
            default=beginning, set_exception_handler=False, handle_sigint=False
        )
        self._reading = asyncio.ensure_future(prompting)
        return await Deferred.fromFuture(self._reading)

    async def stop_reading(self) -> None:
        """Return when the terminal is as it was before :meth:`read_line`."""
        reading = self._reading
        if reading is None or reading.done():
            return
        stopped: Deferred[None] = Deferred()
        reading.add_done_callback(lambda _: stopped.callback(None))
        if not reading.cancelling():
            reading.cancel()
        await stopped

    def show(self, lines: list[ChatLine]) -> None:
        """Show *lines* above the one that is typed."""
        fragments: StyleAndTextTuples = []
        rings = False
        for line in lines:
            self._talk.heard(line)
            marked = self._bell and self._talk.is_for_us(line)
            rings = rings or marked
            fragments += _fragments(line, "bold" if marked else "")
        if rings:
            self._output.bell()
        self._print(fragments)

    def note(self, text: str) -> None:
        """Show a line of our own."""
        safe = printable(text.encode("utf-8", "surrogateescape")).decode()
        self._print([("fg:ansibrightblack", f"-- {safe}\n")])

    def _print(self, fragments: StyleAndTextTuples) -> None:
        # Not patch_stdout(): it writes from a thread, now and then, and lets the terminal echo
        # what is typed meanwhile.  Erased, written and drawn anew in one go, nothing comes between.
        app: Application[Any] = self._session.app
        if app.is_running:
            app.renderer.erase()
        print_formatted_text(
            self._output, fragments, default_ui_style(), color_depth=app.color_depth
        )
        if app.is_running:
            app.invalidate()

    def _prompt(self) -> StyleAndTextTuples:
        if not self._connected:
            where = "[not connected]"
        elif self._talk.asks_password:
            where = "password:"
        else:
            where = f"[{'no room' if self._talk.room == '' else self._talk.room or 'lobby'}]"
        return [("", f"{where} ")]


def _fragments(line: ChatLine, style: str) -> StyleAndTextTuples:
    if line.nick is None:
        dim = "fg:ansibrightblack" if line.kind == "server" else ""
        return [(f"{dim} {style}", f"{line.whole}\n")]
    end = line.at + len(line.nick)
    return [
        (style, line.whole[: line.at]),
        (f"{colour_of(line.nick)} {style}", line.nick),
        (style, f"{line.whole[end:]}\n"),
    ]


def _output() -> Vt100_Output:
    stdout = sys.__stdout__
    assert stdout is not None, "there is no terminal"
    depth = ColorDepth.DEPTH_1_BIT if os.environ.get("NO_COLOR") else None

    def size() -> Size:
        columns, rows = terminal.size(stdout.fileno())
        return Size(rows=rows, columns=columns)

    # A terminal that is asked where its cursor is would answer among what is typed.
    return Vt100_Output(stdout, size, os.environ.get("TERM"), depth, enable_cpr=False)


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("c-c")
    def _interrupt(_event: KeyPressEvent) -> None:
        # The terminal does not send it while a line is edited.
        os.kill(os.getpid(), signal.SIGINT)

    return keys


class _Completer(Completer):
    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        word, found = self._talk.completions(document.text_before_cursor)
        return [Completion(one, -len(word)) for one in found]


class _History(InMemoryHistory):
    def __init__(self, talk: Talk) -> None:
        super().__init__()
        self._talk = talk

    def append_string(self, string: str) -> None:
        """Keep *string*, unless it holds a password."""
        if not self._talk.is_secret(string):
            super().append_string(string)
