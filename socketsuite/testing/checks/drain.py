"""Graceful shutdown: SIGTERM loses nobody's reply.

Must not know whether the protocol offers ``drain()``.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
from dataclasses import dataclass

from socketsuite.testing.checks.base import QUEUES, Check, bug_in
from socketsuite.testing.conversation import Conversation
from socketsuite.testing.daemon import Daemon
from socketsuite.testing.journal import ARGUMENTS, Journal
from socketsuite.testing.replies import NonConformance, Reply, is_complete

_SIZE = 8 << 20
_STUCK_SECONDS = 0.3


class Drain(Check):
    """With one connection idle, one in mid-request and one in mid-reply, SIGTERM ends in order.

    No more connections are accepted.  The idle one is closed by FIN, or is left to its client.
    The one in mid-request is answered whole when the rest of it comes, or closed without a
    byte of a reply.  The reply under way (8 MiB of ``big=``) arrives whole.  Then the process
    ends with status 0, within ``--drain-timeout``, having aborted nobody.
    """

    name = "drain"
    arguments = (*ARGUMENTS, *QUEUES)

    @property
    def _talk(self) -> tuple[bytes, Reply] | None:
        cut = [(a, b) for a, b in self.kit.talk if len(a) > 1]
        return None if self.kit.closes or not cut else cut[0]

    def examine(self, daemon: Daemon) -> None:
        """Nothing before the end."""

    def conclude(self, daemon: Daemon) -> None:
        """End it, with three connections open."""
        kit = self.kit
        with contextlib.ExitStack() as stack:
            kit.prove_alive(daemon)
            # First the reply that, where connections share what is said, others would hear.
            reading = self._begin_to_read(daemon, stack)
            idle = stack.enter_context(kit.converse(daemon))
            asking = stack.enter_context(kit.converse(daemon)) if self._talk else None
            if asking is not None and self._talk is not None:
                asking.send(self._talk[0][:1])
            daemon.send_signal(signal.SIGTERM)
            daemon.wait_for_line(rf"{kit.name} draining ")
            self._accepts_nobody(daemon)
            if asking is not None and self._talk is not None:
                self._finish_request(asking, *self._talk)
            if reading is not None:
                self._finish_reply(reading)
                reading.caller.close()
            if asking is not None:
                asking.close()
            idle.close()
        self._ends_in_order(daemon)

    def _begin_to_read(self, daemon: Daemon, stack: contextlib.ExitStack) -> _Reading | None:
        """Return one who has read the first byte of a large reply."""
        if self.kit.big is None or self.kit.endless:
            return None
        request, reply = self.kit.big(_SIZE)
        journal = Journal(daemon)
        reading = stack.enter_context(self.kit.converse(daemon))
        reading.begin(request)
        while reading.push(_STUCK_SECONDS):
            pass
        # What is left in buffers on the way, by a service that reads no more, is not received.
        size = len(request)
        received = not reading.unsent and journal.is_received(reading.peer, size, _STUCK_SECONDS)
        reading.read(reply[:1])
        return _Reading(reading, reply[1:], received)

    def _finish_reply(self, reading: _Reading) -> None:
        try:
            reading.caller.read(reading.rest)
        except NonConformance as error:
            # One whose request was not read to its end is in mid-request, too.
            if reading.received or not reading.caller.ends():
                raise NonConformance(f"in mid-reply at SIGTERM: {error}") from None

    def _accepts_nobody(self, daemon: Daemon) -> None:
        with contextlib.suppress(ConnectionError):
            daemon.connect().close()
            raise NonConformance("connections are still accepted after SIGTERM")

    def _finish_request(self, caller: Conversation, request: bytes, reply: Reply) -> None:
        heard = _Heard(reply)
        try:
            caller.send(request[1:])
            caller.expect(heard)
        except NonConformance as error:
            told = heard.said and not self.kit.endless
            if told or not caller.ends():
                raise NonConformance(f"in mid-request at SIGTERM: {error}") from None

    def _ends_in_order(self, daemon: Daemon) -> None:
        try:
            status = daemon.wait()
        except subprocess.TimeoutExpired:
            raise NonConformance("SIGTERM does not end it") from None
        if status != 0:
            raise NonConformance(f"SIGTERM ends it with status {status}, not 0")
        found = [line for line in daemon.lines if " stopped aborted=" in line]
        if not found or not found[-1].endswith("aborted=0"):
            text = "connections had to be aborted: they were not closed behind their clients' FIN"
            raise NonConformance(f"{text} within --drain-timeout")
        bug = bug_in(daemon)
        if bug:
            raise NonConformance(f"its log shows a bug: {bug}")


@dataclass
class _Reading:
    """Who reads a large reply.

    :ivar rest: what is to come of it.
    :ivar received: whether the service has received the whole request.
    """

    caller: Conversation
    rest: bytes
    received: bool


class _Heard:
    """A reply, and what has come of it."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self.said = b""

    def __call__(self, said: bytes) -> bool:
        self.said = said
        return is_complete(self._reply, said)
