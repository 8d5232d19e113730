"""Datagrams out, answers in, over one UDP socket.

This module must not know of the command line, nor how an answer is shown.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from socketsuite.addresses import endpoint_text
from socketsuite.cli.datagram_socket import Address, SocketChoice, open_socket
from socketsuite.cli.descriptors import InputDescriptor
from socketsuite.transport.dial.connecting import resolve
from socketsuite.transport.dial.failed import Code, Failed, os_cause, os_code
from socketsuite.wire.lines import LineFramer, LineTooLong

# RFC 768: 65,535 less the UDP header, and over IPv4 (where the kernel refuses more) its own.
_LONGEST = 65_527
_RECEIVE = 65_535
# Answers are read between two batches; without that, a file of lines would overflow the
# kernel's receive buffer with answers.
_BATCH = 16
_BUSY_SECONDS = 0.005


@dataclass(frozen=True)
class Exchange:
    """What to send, to whom, and when to end.

    :ivar family: ``AF_INET``, ``AF_INET6``, or 0 for whichever the name has first.
    :ivar datagram: send this one, gathered from several buffers; ``None`` to send each
        line of standard input.
    :ivar wait: seconds to go on listening after the last one was sent.
    :ivar count: end after so many answers.
    """

    host: str
    port: int
    family: int
    choice: SocketChoice
    datagram: Sequence[bytes] | None
    wait: float
    count: int | None

    @property
    def peer(self) -> str:
        """Who the datagrams are for."""
        return endpoint_text(self.host, self.port)

    def failed(self, cause: str, code: Code) -> Failed:
        """Return the failure of this exchange."""
        return Failed(f"Error: {self.peer}: {cause}", code)

    def refused(self, error: OSError) -> Failed:
        """Return the failure that the system tells of."""
        return self.failed(os_cause(error), os_code(error))


Show = Callable[[bytes, str], None]


async def exchange(reactor: Any, plan: Exchange, show: Show, totals: dict[str, int]) -> None:
    """Carry out *plan*.

    :param show: called with each answer and its sender, as text.
    :param totals: ``sent`` and ``answers`` are counted there.
    :raises Failed: for an unknown host, an option or a datagram that the system refuses, a
        refusing peer (if connected), or fewer answers than ``plan.count``.
    """
    family, address = await _resolve(reactor, plan)
    sock = open_socket(plan.choice, family, address)
    talk = _Talk(reactor, plan, sock, None if plan.choice.connect else address, show, totals)
    reactor.addReader(talk)
    try:
        talk.start()
        error = await talk.over
    finally:
        reactor.removeReader(talk)
        sock.close()
    if error is not None:
        raise error


async def _resolve(reactor: Any, plan: Exchange) -> tuple[int, Address]:
    try:
        found = await resolve(reactor, plan.host, socket.SOCK_DGRAM, plan.family)
    except Failed as error:
        raise plan.failed(str(error), error.code) from None
    return found[0].family, found[0].at(plan.port).where


@implementer(IReadDescriptor)
class _Talk:
    def __init__(
        self,
        reactor: Any,
        plan: Exchange,
        sock: socket.socket,
        address: Address | None,
        show: Show,
        totals: dict[str, int],
    ) -> None:
        self.over: Deferred[Failed | None] = Deferred()
        self._reactor = reactor
        self._plan = plan
        self._socket = sock
        self._address = address
        self._show = show
        self._totals = totals
        self._framer = LineFramer(_LONGEST)
        self._queue: deque[Sequence[bytes]] = deque()
        self._input = InputDescriptor(reactor, 0, self._typed, self._typing_ended)
        self._complete = False

    def start(self) -> None:
        if self._plan.datagram is None:
            self._input.resumeProducing()
        else:
            self._complete = True
            self._queue.append(self._plan.datagram)
            self._send()

    def _typed(self, data: bytes) -> None:
        self._input.pauseProducing()
        try:
            self._queue.extend([line] for line in self._framer.feed(data))
        except LineTooLong:
            text = f"a line is too long: {_LONGEST:,} bytes are the most"
            self._end(self._plan.failed(text, "too-long"))
            return
        self._send()

    def _typing_ended(self, error: OSError | None) -> None:
        self._complete = True
        if error is not None:
            self._end(Failed(f"cannot read standard input: {os_cause(error)}", "input"))
            return
        if self._framer.pending:
            self._queue.append([self._framer.feed(b"\n")[0]])
        self._send()

    def _send(self) -> None:
        """Send one batch; come back for the rest, or for more lines."""
        again = 0.0
        try:
            for _ in range(min(_BATCH, len(self._queue))):
                self._send_one(self._queue[0])
                self._queue.popleft()
                self._totals["sent"] += 1
        except BlockingIOError:
            again = _BUSY_SECONDS
        except OSError as error:
            self._end(self._plan.refused(error))
        if self.over.called:
            return
        if self._queue:
            self._reactor.callLater(again, self._send)
        elif not self._complete:
            self._input.resumeProducing()
        else:
            self._reactor.callLater(self._plan.wait, self._waited)

    def _send_one(self, buffers: Sequence[bytes]) -> None:
        if self._address is None:
            self._socket.sendmsg(buffers)
        else:
            self._socket.sendmsg(buffers, [], 0, self._address)

    def doRead(self) -> None:
        for _ in range(_BATCH):
            try:
                answer, sender = self._socket.recvfrom(_RECEIVE)
            except BlockingIOError:
                return
            except OSError as error:
                self._end(self._plan.refused(error))
                return
            if self.over.called:
                return
            self._totals["answers"] += 1
            self._show(answer, endpoint_text(sender[0], sender[1]))
            if self._totals["answers"] == self._plan.count:
                self._end(None)

    def _waited(self) -> None:
        wanted, came = self._plan.count, self._totals["answers"]
        missing = wanted is not None and came < wanted
        text = f"{came} of {wanted} answers came"
        self._end(self._plan.failed(text, "too-few-answers") if missing else None)

    def _end(self, error: Failed | None) -> None:
        self._input.stopProducing()
        if not self.over.called:
            self.over.callback(error)

    def fileno(self) -> int:
        return self._socket.fileno()

    def logPrefix(self) -> str:
        return "udp"

    def connectionLost(self, reason: Failure) -> None:
        # epoll reports an ICMP error without data as a hang-up; the socket knows which.
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._end(self._plan.refused(OSError(number, "")))
