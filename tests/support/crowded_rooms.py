"""A chat with many people in rooms of fifty, and one of them who does not read what is said there.

One loop in one thread for all of them, so that what is measured is the daemon's time.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from socketsuite.testing import Daemon
from tests.daemons.crowd import BACKLOG, call

ROOM = 50
SEND_QUEUE = 1 << 18
_TEXT = 400
_STAMP = 16
_AT_ONCE = 100
_SECONDS = 60.0


@dataclass(frozen=True)
class Frontend:
    """How one talks to it: what somebody sends to come into a room, and to say a line.

    :ivar done: what the server says once that is through.
    """

    name: str
    enter: str
    done: bytes
    says: str


LINES = Frontend(
    "lines", "/nick p{n}\n/join r{room}\n/leave lobby\n/topic\n", b"topic of #", "{text}\n"
)
IRC = Frontend(
    "irc",
    "NICK p{n}\r\nUSER p 0 * :p\r\nJOIN #r{room}\r\nPING in\r\n",
    b" PONG ",
    "PRIVMSG #r{room} :{text}\r\n",
)
FRONTENDS = {one.name: one for one in (LINES, IRC)}


class Rooms:
    """A daemon, and *people* in its rooms; the first of each room is who speaks there.

    :ivar people: by their rooms.
    """

    def __init__(self, folder: Path, frontend: Frontend, people: int) -> None:
        self.frontend = frontend
        self.people: list[list[socket.socket]] = [[] for _ in range(people // ROOM)]
        ports = ("--port", "0", "--irc-port", "0")
        limits = ("--send-queue", str(SEND_QUEUE), *BACKLOG)
        self.daemon = Daemon(folder, "socketsuite-chat", *ports, *limits)
        try:
            self.daemon.wait_until_ready()
            self.empty = self.daemon.memory()
            self._port = self.daemon.port(frontend=frontend.name)
            # Round by round, so that nobody is sent more than the kernel holds while unread.
            everybody = [(n, n % len(self.people)) for n in range(people)]
            for start in range(0, people, _AT_ONCE):
                self._enter(everybody[start : start + _AT_ONCE])
        except BaseException:
            self.close()
            raise

    def _enter(self, some: Sequence[tuple[int, int]]) -> None:
        new = []
        for number, room in some:
            # The second of the first room is the one who does not read.
            one = call(self._port, narrow=(number // len(self.people), room) == (1, 0))
            words = self.frontend.enter.format(n=f"{number}x", room=room)
            one.sendall(words.encode())
            self.people[room].append(one)
            new.append(one)
        for one in new:
            heard = b""
            while self.frontend.done not in heard:
                piece = one.recv(1 << 16)
                assert piece, heard
                heard += piece
            one.setblocking(False)

    @property
    def per_person(self) -> float:
        """The bytes of memory that one of them costs the daemon."""
        return (self.daemon.memory() - self.empty) / (ROOM * len(self.people))

    def talk(self, seconds: float, rate: float) -> tuple[list[float], float | None]:
        """Talk in the first room, *rate* lines a second, and a tenth as much in the last.

        :return: how long each line took to each who reads there, in seconds, and after how many
            seconds the one who does not read was dropped.
        """
        stalled = self.people[0][1]
        audience = [one for room in (0, -1) for one in self.people[room][1:] if one is not stalled]
        tails = {one.fileno(): b"" for one in audience}
        by_number = {one.fileno(): one for one in audience}
        latencies: list[float] = []
        gone: float | None = None
        with select.epoll() as poll:
            for number in by_number:
                poll.register(number, select.EPOLLIN)
            poll.register(stalled, select.EPOLLRDHUP)
            began, said, due = time.monotonic(), 0, 0
            while said < seconds * rate or len(latencies) < due:
                now = time.monotonic()
                assert now < began + seconds + _SECONDS, f"{len(latencies)} of {due} heard"
                while said < min(seconds * rate, (now - began) * rate):
                    due += self._say(0, began + said / rate, len(self.people[0]) - 2)
                    if said % 10 == 0:
                        due += self._say(-1, began + said / rate, len(self.people[-1]) - 1)
                    said += 1
                for number, _ in poll.poll(0.002):
                    if number == stalled.fileno():
                        gone = time.monotonic() - began
                        poll.unregister(number)
                    else:
                        heard = tails[number] + by_number[number].recv(1 << 18)
                        tails[number] = self._heard(heard, latencies)
        return latencies, gone

    def _say(self, room: int, moment: float, listeners: int) -> int:
        text = (b"@@%016x" % int(moment * 1e9)).decode().ljust(_TEXT, "x")
        line = self.frontend.says.format(room=room % len(self.people), text=text)
        self.people[room][0].sendall(line.encode())
        return listeners

    def _heard(self, data: bytes, latencies: list[float]) -> bytes:
        """Note when each line was due; return what follows the last."""
        *lines, rest = data.split(b"\n")
        now = time.monotonic()
        for line in lines:
            at = line.find(b"@@") + 2
            if at > 1:
                latencies.append(now - int(line[at : at + _STAMP], 16) * 1e-9)
        return rest

    def close(self) -> None:
        """End the daemon, and leave it."""
        self.daemon.kill()
        for room in self.people:
            for one in room:
                one.close()
