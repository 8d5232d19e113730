"""Joins standard input and output to one connection, byte for byte, with back-pressure.

Each side is read only as fast as the other takes it, so memory stays bounded.  This module
must not know of the command line, nor how the result is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from socketsuite.cli.descriptors import InputDescriptor, OutputDescriptor
from socketsuite.cli.exit_word import ExitWord
from socketsuite.cli.output import Output
from socketsuite.transport.dial.dialing import StreamClient, check_end, dial
from socketsuite.transport.dial.facts import Facts, facts_of
from socketsuite.transport.dial.failed import Failed, os_cause
from socketsuite.transport.dial.target import Target


class _Talker(StreamClient):
    """The connection's end of it; counts into *totals*."""

    def __init__(self, output: OutputDescriptor, totals: dict[str, int]) -> None:
        super().__init__()
        self.output = output
        self._totals = totals

    def dataReceived(self, data: bytes) -> None:
        self._totals["bytes_in"] += len(data)
        self.output.write(data)

    def send(self, data: bytes) -> None:
        self._totals["bytes_out"] += len(data)
        self.transport.write(data)

    def output_ended(self, error: OSError | None) -> OSError | None:
        """End the connection too, if nobody takes what comes from it."""
        if error is not None and not self.gone.called:
            self.transport.abortConnection()
        return error


class _Typist:
    """Standard input's end of it: sends what is typed, until its end or the exit word."""

    def __init__(self, reactor: Any, talker: _Talker, exit_word: bytes | None) -> None:
        self._talker = talker
        self._exit = ExitWord(exit_word) if exit_word is not None else None
        self._input = InputDescriptor(reactor, 0, self._typed, self._ended)
        self.error: OSError | None = None
        self.left = False

    def start(self) -> None:
        self._talker.transport.registerProducer(self._input, True)
        self._input.resumeProducing()

    def _typed(self, data: bytes) -> None:
        leave = False
        if self._exit is not None:
            data, leave = self._exit.feed(data)
        self._talker.send(data)
        if leave:
            self._leave()

    def _ended(self, error: OSError | None) -> None:
        self.error = error
        leave = False
        if self._exit is not None:
            rest, leave = self._exit.end()
            self._talker.send(rest)
        if leave or error is not None:
            self._leave()
        else:
            self._talker.transport.unregisterProducer()
            self._talker.transport.loseWriteConnection()

    def _leave(self) -> None:
        self.left = True
        self._input.stopProducing()
        self._talker.transport.unregisterProducer()
        self._talker.transport.loseConnection()


async def converse(
    reactor: Any,
    target: Target,
    exit_word: bytes | None,
    report: Output,
    tell: Callable[[Facts | None], None],
) -> None:
    """Talk to *target* until it closes or the exit word is typed.

    The end of standard input half-closes the connection: what the server still has to say
    is shown.  Over TLS the half-close is a ``close_notify`` alert.

    :param report: is told who the peer is, and how many bytes went which way.
    :param tell: is told what became known by connecting, also where that failed.
    :raises NoServer: when there is no server, or the connection is lost.
    :raises Failed: when standard input or output cannot be used.
    """
    report.totals |= {"bytes_in": 0, "bytes_out": 0}
    output = OutputDescriptor(reactor, 1)
    talker = _Talker(output, report.totals)
    try:
        report.peer = await dial(reactor, target, talker)
    finally:
        tell(facts_of(talker))
    typist = _Typist(reactor, talker, exit_word)
    output.registerProducer(talker.transport, True)
    output.gone.addCallback(talker.output_ended)
    typist.start()
    reason = await talker.gone
    output.unregisterProducer()
    output.loseConnection()
    output_error = await output.gone
    if output_error is not None:
        cause = f"cannot write standard output: {os_cause(output_error)}"
        raise Failed(cause, "output", silent=isinstance(output_error, BrokenPipeError))
    if typist.error is not None:
        raise Failed(f"cannot read standard input: {os_cause(typist.error)}", "input")
    if not typist.left:
        check_end(target, talker, reason)
