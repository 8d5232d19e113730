"""One file's way into one connection, and the progress bar beside it.

This module must not know of the command line, nor what the server does with the bytes.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone

from socketsuite.cli.descriptors import InputDescriptor
from socketsuite.cli.output import Output
from socketsuite.cli.progress import progress_bar
from socketsuite.cli.waiting import first_of
from socketsuite.transport.dial.dialing import StreamClient, cause_of, dial
from socketsuite.transport.dial.failed import Code, Failed, os_cause
from socketsuite.transport.dial.target import Target


@dataclass(frozen=True)
class Sent:
    """A file that was sent to its end.

    :ivar seconds: from the connect to the last byte handed to the kernel, or to the
        server's closing when it did.
    :ivar confirmed: whether the server closed its side in time.
    """

    bytes: int
    seconds: float
    confirmed: bool


class _Listening(StreamClient):
    """Takes note of what a server says that does not keep what is sent to it like this."""

    _GREETING = b"READY 1 sync="

    def __init__(self) -> None:
        super().__init__()
        self._said = b""

    def dataReceived(self, data: bytes) -> None:
        """Keep the first bytes; the rest is dropped."""
        if len(self._said) < len(self._GREETING):
            self._said += data[: len(self._GREETING)]

    def check(self) -> None:
        """Return if the server may have kept what was sent.

        :raises Failed: if it speaks the acknowledgement protocol.
        """
        if self._said.startswith(self._GREETING):
            text = "the server keeps nothing that is sent like this: it acknowledges (send --ack)"
            raise Failed(text, "protocol")


async def upload(
    reactor: Any,
    target: Target,
    descriptor: int,
    size: int | None,
    report: Output,
    *,
    close_timeout: float,
    show_progress: bool,
) -> Sent:
    """Send what *descriptor* holds; half-close; wait *close_timeout* seconds for the end.

    :param size: how many bytes that will be, if it is known.
    :param report: is told who the peer is, and how many bytes were handed to the kernel.
    :raises NoServer: when there is no server.
    :raises Failed: when the connection is lost, or the file cannot be read.
    """
    report.totals |= {"bytes": 0, "confirmed": False}
    client = _Listening()
    report.peer = await dial(reactor, target, client)
    began = reactor.seconds()
    read: Deferred[OSError | None] = Deferred()
    source = InputDescriptor(reactor, descriptor, client.transport.write, read.callback)
    client.transport.registerProducer(source, True)
    source.resumeProducing()
    try:
        bar: Any = nullcontext()
        if show_progress:
            bar = progress_bar(reactor, lambda: source.taken, lambda: size)
        with bar:
            ended, index = await first_of(read, client.gone)
        if index != 0:
            client.check()
            raise _lost(target, source, *cause_of(ended, client))
        if ended is not None:
            client.transport.abortConnection()
            raise Failed(f"cannot read the file: {os_cause(ended)}", "input")
        client.transport.unregisterProducer()
        client.transport.loseWriteConnection()
        confirmed = await _closed(reactor, client, target, source, close_timeout)
        client.check()
        source.delivered = source.taken
    finally:
        report.totals["bytes"] = source.delivered
    return Sent(source.taken, reactor.seconds() - began, confirmed)


async def _closed(
    reactor: Any, client: StreamClient, target: Target, source: InputDescriptor, seconds: float
) -> bool:
    """Return whether the server closed within *seconds*."""
    late: Deferred[None] = Deferred()
    timer = reactor.callLater(seconds, late.callback, None)
    reason, index = await first_of(client.gone, late)
    if index != 0:
        client.transport.abortConnection()
        return False
    timer.cancel()
    if not isinstance(reason, ConnectionDone):
        raise _lost(target, source, *cause_of(reason, client))
    return True


def _lost(target: Target, source: InputDescriptor, cause: str, code: Code) -> Failed:
    handed = f"{source.delivered:,} bytes had been handed to the kernel"
    return Failed(f"Connection to {target} lost after {handed}: {cause}", code)
