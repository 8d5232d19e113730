"""A chat room where one speaks and a few listen, and every line's way to each is timed.

One loop in one thread, so that what is measured is the daemon's time and not a thread's.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from socketsuite.testing import Daemon, read_exactly, read_line
from tests.daemons.crowd import call

LINE = 8000
"""Bytes of a line, with its end."""

LISTENERS = 4

_WIRE = LINE + 3
_STAMP = 16
_AHEAD = 1 << 20
_CHUNK = 1 << 18
_SECONDS = 60.0
_CALLS_AT_ONCE = 200


class _Listener:
    def __init__(self, connection: socket.socket, number: int) -> None:
        self.connection = connection
        self.number = number
        self.tail = b""
        self.heard = 0


class Audience:
    """A speaker and listeners who read all they can.

    :ivar latencies: for each line, and each listener to it, the seconds from the moment it
        was due to be said to the one it was heard.
    """

    def __init__(self, speaker: socket.socket, listeners: Sequence[socket.socket]) -> None:
        self.speaker = speaker
        self.listeners = [_Listener(one, number) for number, one in enumerate(listeners)]
        self.latencies: list[float] = []
        for one in (speaker, *listeners):
            one.setblocking(False)
        # Nagle's algorithm would hold lines back, and its time be taken for the daemon's.
        speaker.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def broadcast(self, total: int, rate: float = 0.0, *, precise: bool = False) -> list[float]:
        """Say lines of *total* bytes, and return the latencies once all have heard them.

        :param rate: bytes a second; 0 is as fast as the slowest listener hears.
        :param precise: never sleep, so that no line is late by the kernel's timers.

        The speaker is never more than a megabyte ahead, or a listener who is held up would
        be dropped as one who does not read.
        """
        lines = -(-total // LINE)
        self.latencies = [0.0] * (lines * len(self.listeners))
        for one in self.listeners:
            one.heard = 0
        said, rest = 0, b""
        by_number = {one.connection.fileno(): one for one in self.listeners}
        with select.epoll() as poll:
            poll.register(self.speaker, 0)
            for number in by_number:
                poll.register(number, select.EPOLLIN)
            began = time.monotonic()
            while (heard := min(one.heard for one in self.listeners)) < lines:
                now = time.monotonic()
                assert now < began + _SECONDS, f"{heard} of {lines} lines heard by everybody"
                due = int((now - began) * rate / LINE) + 1 if rate else lines
                most = min(lines, due, heard + _AHEAD // LINE)
                while not rest and said < most:
                    rest = self._said(_line(began + said * LINE / rate if rate else now))
                    said += 1
                poll.modify(self.speaker, select.EPOLLOUT if rest else 0)
                pause = 0.001 if rate and said < lines else 1.0
                for number, _ in poll.poll(0 if precise else pause):
                    if number in by_number:
                        self._hear(by_number[number])
                    else:
                        rest = self._said(rest)
        return self.latencies

    def _said(self, data: bytes) -> bytes:
        """Send what the kernel takes, and return the rest."""
        with contextlib.suppress(BlockingIOError):
            return data[self.speaker.send(data) :]
        return data

    def _hear(self, listener: _Listener) -> None:
        piece = listener.connection.recv(_CHUNK)
        assert piece, "a listener was dropped"
        data = listener.tail + piece
        end = len(data) - len(data) % _WIRE
        now = time.monotonic()
        for at in range(0, end, _WIRE):
            stamp = int(data[at + 3 : at + 3 + _STAMP], 16)
            place = listener.heard * len(self.listeners) + listener.number
            self.latencies[place] = now - stamp * 1e-9
            listener.heard += 1
        listener.tail = data[end:]


def _line(moment: float) -> bytes:
    return (b"%016x" % int(moment * 1e9)).ljust(LINE - 1, b"x") + b"\n"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which the *share* of *values* lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


class Hall:
    """One process with an echo, to which many are connected and say nothing, and a chat.

    :ivar idle: those at the echo.
    :ivar audience: those in the room, all of whom read.
    """

    def __init__(self, folder: Path, idle: int, transport: str) -> None:
        settings = f"port = 0\ninterface = ['127.0.0.1']\ntransport = '{transport}'\n"
        file = folder / "hall.toml"
        file.write_text(f"[echo]\nudp = false\n{settings}[chat]\nbanner = 'in'\n{settings}")
        self.daemon = Daemon(folder, "socketsuite", "--config", str(file))
        self.idle: list[socket.socket] = []
        try:
            self.daemon.wait_until_ready()
            self._echo, self._chat = (
                int(self.daemon.wait_for_line(rf"{name} listening .*port=(\d+)")[1])
                for name in ("echo", "chat")
            )
            self._fill(idle)
            self.audience = Audience(self.member(), [self.member() for _ in range(LISTENERS)])
        except BaseException:
            self.close()
            raise

    def _fill(self, idle: int) -> None:
        for number in range(1, idle + 1):
            self.idle.append(call(self._echo))
            # Faster than the daemon accepts, the kernel's queue would run over.
            if number % _CALLS_AT_ONCE == 0:
                assert self.answers(self.idle[-1])

    def answers(self, caller: socket.socket) -> bool:
        """Whether the echo still serves *caller*."""
        caller.sendall(b"?")
        return read_exactly(caller, 1) == b"?"

    def member(self, *, narrow: bool = False) -> socket.socket:
        """Return somebody who is in the room."""
        made = call(self._chat, narrow=narrow)
        assert read_line(made) == b"in\n"
        return made

    def cpu_seconds(self) -> float:
        """Return the CPU time that the daemon has used."""
        used = Path(f"/proc/{self.daemon.process.pid}/schedstat").read_text().split()[0]
        return int(used) / 1e9

    def close(self) -> None:
        """End the process, and leave it."""
        self.daemon.kill()
        for caller in self.idle:
            caller.close()
