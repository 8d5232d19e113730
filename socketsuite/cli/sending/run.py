"""All sources of a run over a few connections, each made again after a break.

This module must not know of the command line, nor how one source is sent.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, FirstError, succeed
from twisted.internet.task import deferLater

from socketsuite.cli.output import Output
from socketsuite.cli.sending.connection import AckConnection, Broken, Refused
from socketsuite.cli.sending.receipts_file import ReceiptsFile
from socketsuite.cli.sending.sources import Source
from socketsuite.cli.sending.transfer import Tally, Transfer
from socketsuite.cli.waiting import first_of
from socketsuite.transport.dial.dialing import NoServer, dial
from socketsuite.transport.dial.failed import Code, Failed
from socketsuite.transport.dial.target import Target

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_GOODBYE_SECONDS = 1.0
# What may be over after a while, once there was a server at all.
_PASSING: set[Code] = {
    "closed", "lost", "not-found", "refused", "timeout", "tls", "unknown-host", "unreachable",
}  # fmt: skip
FINAL = {
    *("bad-stream", "expired", "full", "mismatch", "no-stream", "record", "replaced", "syntax"),
    *("too-long", "too-much"),
}
_OF_ONE_STREAM = {"gap", "in-use"}


@dataclass(frozen=True)
class Item:
    """A source and the stream it goes into; or why there is none."""

    source: Source
    stream: str
    error: Failed | None = None


@dataclass(frozen=True)
class Options:
    """How a run is done.

    :ivar parallel: how many connections at most.
    :ivar retry_for: seconds without progress, after which a break is final.
    """

    parallel: int
    retry_for: float
    append: bool


class Run:
    """Everything that one command sends.

    :ivar tally: what it came to so far.
    :ivar failures: what could not be sent, and why.
    :param say: tells a person a sentence.
    """

    def __init__(
        self,
        reactor: Any,
        target: Target,
        items: Iterator[Item],
        options: Options,
        output: Output,
        receipts: ReceiptsFile | None,
        say: Callable[[str], None],
    ) -> None:
        self._reactor = reactor
        self._target = target
        self._items = items
        self._options = options
        self._output = output
        self._receipts = receipts
        self._say = say
        self._was_there = False
        self._key: bytes | None = None
        self.tally = Tally()
        self.failures: list[Failed] = []
        self.done = 0

    async def all(self) -> None:
        """Send everything; what is wrong with one source keeps the others from nothing.

        :raises Failed: when there is no server, or none any more.
        """
        lanes = [_Lane(self)]
        await lanes[0].connect()
        lanes += [_Lane(self) for _ in range(self._options.parallel - 1)]
        running = [Deferred.fromCoroutine(lane.work()) for lane in lanes]
        both = DeferredList(running, fireOnOneErrback=True, consumeErrors=True)
        try:
            await both
        except FirstError as error:
            error.subFailure.raiseException()
        finally:
            for one in running:
                one.cancel()
            ends = [lane.leave() for lane in lanes]
        late: Deferred[None] = deferLater(self._reactor, _GOODBYE_SECONDS)
        await first_of(DeferredList(ends), late)
        late.cancel()

    def next_item(self) -> Item | None:
        """Return what is to be sent next."""
        return next(self._items, None)

    def transfer(self, item: Item, progressed: Callable[[], None]) -> Transfer:
        """Return the transfer of an item, which is not begun."""
        return Transfer(
            self._reactor,
            item.source,
            item.stream,
            self.tally,
            append=self._options.append,
            receipts=self._receipts,
            say=self._say,
            progressed=progressed,
        )

    async def dialled(self) -> AckConnection:
        """Return a new connection that may be used.

        :raises Failed: when there is none.
        """
        connection = AckConnection(self._reactor)
        self._output.peer = await dial(self._reactor, self._target, connection)
        try:
            await connection.opened(self._target.timeout)
        except BaseException:
            connection.transport.abortConnection()
            raise
        self._was_there = True
        key = connection.greeting.key
        if self._key is not None and key != self._key:
            self._say("the server signs by another key than before")
        self._key = key
        return connection

    def ended(self, item: Item, transfer: Transfer | None, error: Failed | None) -> None:
        """Note how an item has ended, and tell it."""
        self.done += 1
        if error is not None:
            self.failures.append(error)
            if not self._output.as_json:
                self._say(f"{item.source.name}: {error}")
        self.tell_end(item, transfer, error)

    def tell_end(self, item: Item, transfer: Transfer | None, error: Failed | None) -> None:
        """Tell a machine how an item has ended."""
        if self._output.as_json:
            self._output.row(
                "stream",
                peer=self._output.peer,
                error=error,
                stream=item.stream,
                source=item.source.name,
                acked=0 if transfer is None else transfer.acked,
                hash=None if transfer is None else transfer.hash.hex() or None,
            )

    def may_pass(self, error: Failed) -> bool:
        """Whether another connection may do after this failure."""
        if isinstance(error, Refused):
            return error.reason not in FINAL
        return self._was_there and isinstance(error, (Broken, NoServer)) and error.code in _PASSING

    @property
    def clock(self) -> Any:
        """The reactor."""
        return self._reactor

    @property
    def retry_for(self) -> float:
        """Seconds without progress."""
        return self._options.retry_for

    def tell_break(self, error: Failed) -> None:
        """Say that a connection has broken, and that another is tried."""
        lost = f"Connection to {self._target} lost: " if isinstance(error, Broken) else ""
        self._say(f"{lost}{error}; trying again")


class _Lane:
    """One connection after the other, and one item after the other on it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._connection: AckConnection | None = None
        self._pause = _FIRST_PAUSE
        self._progress_at = run.clock.seconds()
        self._told = False

    async def connect(self) -> None:
        self._connection = await self._run.dialled()
        self._progressed()

    def _progressed(self) -> None:
        self._pause = _FIRST_PAUSE
        self._progress_at = self._run.clock.seconds()
        self._told = False

    async def work(self) -> None:
        while (item := self._run.next_item()) is not None:
            if item.error is not None:
                self._run.ended(item, None, item.error)
                continue
            self._progressed()
            transfer = self._run.transfer(item, self._progressed)
            try:
                await self._send(transfer)
            except _Final as final:
                self._drop()
                self._run.ended(item, transfer, final.error)
            except Failed as error:
                self._run.tell_end(item, transfer, error)
                raise
            else:
                self._run.ended(item, transfer, None)
            finally:
                transfer.close()

    async def _send(self, transfer: Transfer) -> None:
        """Send to the end, over as many connections as it takes."""
        while True:
            try:
                if self._connection is None:
                    self._connection = await self._run.dialled()
                await transfer.attempt(self._connection)
            except Failed as error:
                connected = self._connection is not None
                self._drop()
                if not self._run.may_pass(error):
                    if connected and error.code != "file":  # that of the receipts is of all
                        raise _Final(error) from None
                    raise
                await self._wait_after(error)
            else:
                return

    async def _wait_after(self, error: Failed) -> None:
        seconds = self._run.retry_for
        left = self._progress_at + seconds - self._run.clock.seconds()
        if left <= 0:
            given_up = Failed(f"{error}; given up after {seconds:g} s", error.code)
            if isinstance(error, Refused) and error.reason in _OF_ONE_STREAM:
                raise _Final(given_up)
            raise given_up
        if not self._told:
            self._told = True
            self._run.tell_break(error)
        await deferLater(self._run.clock, min(left, self._pause * random.uniform(0.5, 1)))
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.transport.abortConnection()
            self._connection = None

    def leave(self) -> Deferred[Any]:
        """End the connection, if there is one; what is returned fires when it has ended."""
        connection, self._connection = self._connection, None
        if connection is None:
            return succeed(None)
        connection.close()
        return connection.gone


class _Final(Exception):
    """What no other connection will cure, of one item alone."""

    def __init__(self, error: Failed) -> None:
        super().__init__(str(error))
        self.error = error
