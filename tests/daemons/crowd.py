"""Very many peers of one daemon: called as a crowd, and watched until each has been let go."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from socketsuite.testing import Daemon

MOST_DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
BACKLOG = ("--backlog", "4096")
_SECONDS = 20.0
_LOOK = 0.05
_SMALL = 4096
_SMALL_SEGMENT = 536


@contextlib.contextmanager
def as_many_descriptors_as_allowed() -> Iterator[None]:
    """Raise the soft limit to the hard one, for this process and the daemons it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def descriptors(daemon: Daemon) -> int:
    """Return how many descriptors a daemon has open."""
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def call(port: int, *, narrow: bool = False) -> socket.socket:
    """Return a connection; with a *narrow* one the kernel holds little for either side.

    A peer chooses how much the other side's kernel takes for it: by its own window, and by
    the size of segments, from which Linux reckons the sender's buffer.
    """
    made = socket.socket()
    made.settimeout(_SECONDS)
    if narrow:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SMALL)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SMALL_SEGMENT)
    made.connect(("127.0.0.1", port))
    return made


class Stopwatch:
    """Seconds since it was made, less those for which the machine had no CPU to give.

    So a limit is the daemon's own, and holds on a machine with other work, too: what its
    threads and ours waited for a CPU is told by the kernel.
    """

    def __init__(self, daemon: Daemon) -> None:
        self._processes = (os.getpid(), daemon.process.pid)
        self._waited = dict.fromkeys(self._processes, 0.0)
        self._began = 0.0
        self._began = self.seconds()

    def seconds(self) -> float:
        """Return them; of a daemon that has ended, by what was known when last asked."""
        for process in self._processes:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                self._waited[process] = _waited_for_cpu(process)
        return time.monotonic() - sum(self._waited.values()) - self._began


def _waited_for_cpu(process: int) -> float:
    tasks = f"/proc/{process}/task"
    texts = [Path(tasks, name, "schedstat").read_text() for name in os.listdir(tasks)]
    return sum(int(text.split()[1]) for text in texts) / 1e9


def until_ended(daemon: Daemon, seconds: float) -> int:
    """Return the exit status of a daemon that ends within *seconds* by a stopwatch."""
    watch = Stopwatch(daemon)
    ended = os.pidfd_open(daemon.process.pid)
    try:
        with select.epoll() as poll:
            poll.register(ended, select.EPOLLIN)
            while not poll.poll(_LOOK):
                assert watch.seconds() < seconds, "it has not ended"
    finally:
        os.close(ended)
    return daemon.wait()


def until_gone(
    daemon: Daemon,
    peers: Sequence[socket.socket],
    seconds: float,
    meanwhile: Callable[[], object] | None = None,
) -> list[float]:
    """Return when each of *peers* was let go, by FIN or RST, which they have not read.

    :param seconds: until then, by a stopwatch; who is still connected is not in the list.
    :param meanwhile: called again and again.
    """
    watch = Stopwatch(daemon)
    went: dict[int, float] = {}
    with select.epoll() as poll:
        for peer in peers:
            poll.register(peer, select.EPOLLRDHUP | select.EPOLLONESHOT)
        while len(went) < len(peers) and watch.seconds() < seconds:
            ready = poll.poll(_LOOK if meanwhile is None else 0.005, len(peers))
            now = time.monotonic()
            went.update((number, now) for number, _ in ready)
            if meanwhile is not None:
                meanwhile()
    return list(went.values())
