"""The client's side of ROT13: lines go out, and as many come back.

Must not know of the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.protocols.basic import LineOnlyReceiver

from socketsuite.cli.output import Output
from socketsuite.transport.dial.dialing import StreamClient, check_end, dial
from socketsuite.transport.dial.failed import Failed
from socketsuite.transport.dial.target import Target
from socketsuite.wire.printable import printable


class Caller(StreamClient, LineOnlyReceiver):
    """One connection, until *wanted* lines have come; *show* is given each, safe to display."""

    delimiter = b"\n"

    def __init__(self, wanted: int, show: Callable[[str], None]) -> None:
        super().__init__()
        self.wanted = wanted
        self._show = show

    def lineReceived(self, line: bytes) -> None:
        """Show it, and leave behind the last."""
        if self.wanted == 0:
            return
        self.wanted -= 1
        self._show(printable(line).decode())
        if self.wanted == 0:
            self.transport.loseConnection()


async def rotated(
    reactor: Any,
    target: Target,
    lines: Sequence[bytes],
    output: Output,
    show: Callable[[str], None],
) -> None:
    """Send *lines* to *target*, and have *show* called with each that comes back.

    :raises Failed: when there is no server, or it closes before the last line.
    """
    caller = Caller(len(lines), show)
    output.peer = await dial(reactor, target, caller)
    caller.transport.write(b"".join(line + b"\n" for line in lines))
    reason = await caller.gone
    if caller.wanted:
        check_end(target, caller, reason)
        come = len(lines) - caller.wanted
        raise Failed(f"the server closed after {come} of {len(lines)} lines", "closed")
