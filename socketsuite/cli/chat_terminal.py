"""``socketsuite chat`` on a terminal: what is typed goes out, and the connection is kept up.

This module must not know how lines are shown, nor of prompt_toolkit.
"""

from __future__ import annotations

import functools
import random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from socketsuite.cli.chat_client import ChatClient
from socketsuite.cli.chat_screen import Screen
from socketsuite.cli.chat_talk import Talk
from socketsuite.cli.output import Output
from socketsuite.cli.waiting import first_of
from socketsuite.transport.dial.dialing import NoServer, cause_of, check_end, dial
from socketsuite.transport.dial.failed import Failed
from socketsuite.transport.dial.target import Target

# Seconds between two attempts: the first time, and at most.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0
# Seconds that a connection must have lived for the waits to begin anew.
_GOOD_AFTER = 30.0
# Seconds that a server may take to end the connection once we have left.
_GOODBYE = 2.0
# Seconds between two times that a nick is asked for which our lost connection still has.
_FIRST_NICK, _LONGEST_NICK = 1.0, 30.0


class Chatting:
    """A person at a terminal, and one connection after another to the same server.

    :param bell: whether to ring where our nick is said.
    :param reconnects: whether a connection that ends is made again.
    """

    def __init__(
        self, reactor: Any, target: Target, output: Output, *, bell: bool, reconnects: bool
    ) -> None:
        self._reactor = reactor
        self._target = target
        self._output = output
        self._reconnects = reconnects
        self._talk = Talk()
        self._bell = bell
        self._leaving = False
        self._asking: Deferred[None] | None = None

    @functools.cached_property
    def _screen(self) -> Screen:
        # Not before there is a server: it writes to the terminal.
        return Screen(self._talk, bell=self._bell)

    async def to_its_end(self, first: list[str]) -> None:
        """Say *first*, then what is typed, until the person has left.

        :raises NoServer: when there is no server at first, or the connection is lost and
            not to be made again.
        """
        await self._connect()
        self._say(first)
        link = Deferred.fromCoroutine(self._stay_connected())
        typing = Deferred.fromCoroutine(self._type())
        try:
            with self._screen.on_terminal():
                try:
                    _, ended = await first_of(link, typing)
                finally:
                    await self._screen.stop_reading()
            if ended == 1 and self._client.is_open:
                await self._goodbye(link)
        finally:
            link.cancel()
            self._ask_no_more()

    async def _connect(self) -> None:
        self._client = ChatClient(lambda lines: self._screen.show(lines), self._output.totals)
        self._output.peer = await dial(self._reactor, self._target, self._client)
        self._connected_at = self._reactor.seconds()

    async def _stay_connected(self) -> None:
        wait = _FIRST_WAIT
        while True:
            reason = await self._client.gone
            if self._leaving:
                return
            if not self._reconnects:
                check_end(self._target, self._client, reason)
                return
            if self._reactor.seconds() - self._connected_at >= _GOOD_AFTER:
                wait = _FIRST_WAIT
            cause, _ = cause_of(reason, self._client)
            self._screen.show_connected(False)
            wait = await self._connect_again(cause, wait)
            self._screen.show_connected(True)

    async def _connect_again(self, cause: str, wait: float) -> float:
        """Connect, however often that has to be tried; return how long the next wait is."""
        while True:
            # Not all clients that a server has lost come back at the same moment.
            seconds = wait * random.uniform(0.5, 1)
            self._screen.note(f"no server ({cause}); trying again in {seconds:.1f} s")
            await deferLater(self._reactor, seconds)
            wait = min(2 * wait, _LONGEST_WAIT)
            try:
                await self._connect()
            except Failed as error:
                cause = error.cause if isinstance(error, NoServer) else str(error)
            else:
                self._screen.note("connected again")
                self._say(self._talk.again())
                self._ask_no_more()
                self._asking = Deferred.fromCoroutine(self._ask_nick_again())
                self._asking.addErrback(lambda failure: failure.trap(CancelledError) and None)
                return wait

    async def _ask_nick_again(self) -> None:
        """Ask for our nick until we have it: the server may take long to miss who had it."""
        wait = _FIRST_NICK
        while True:
            await deferLater(self._reactor, wait)
            nick = self._talk.lost_nick
            if nick is None or not self._client.is_open:
                return
            self._say([f"/nick {nick}"])
            wait = min(2 * wait, _LONGEST_NICK)

    def _ask_no_more(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    async def _type(self) -> None:
        unsent = ""
        while True:
            try:
                line = await self._screen.read_line(unsent)
            except EOFError:
                return
            unsent = ""
            leaves = not self._talk.asks_password and line.lower().split()[:1] == ["/quit"]
            if self._client.is_open:
                self._say(_lines(line, is_answer=self._talk.asks_password))
            elif not leaves:
                unsent = line
                self._screen.note("not connected; your line waits here")
            if leaves:
                return

    def _say(self, lines: list[str]) -> None:
        for line in lines:
            self._talk.typed(line)
            self._client.send(f"{line}\n".encode("utf-8", "surrogateescape"))

    async def _goodbye(self, link: Deferred[None]) -> None:
        """Half-close, and show what the server still has to say."""
        self._leaving = True
        self._client.end()
        abort = self._client.transport.abortConnection
        deadline = self._reactor.callLater(_GOODBYE, abort)
        await link
        if deadline.active():
            deadline.cancel()


def _lines(typed: str, *, is_answer: bool) -> list[str]:
    """Return what is to be sent: an answer even where it is empty, otherwise what has words."""
    return typed.split("\n")[:1] if is_answer else [x for x in typed.split("\n") if x.strip()]
