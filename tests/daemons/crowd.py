"""Very many peers of one daemon: called as a crowd, and watched until each has been let go."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence

from socketsuite import testing
from socketsuite.testing import Daemon

MOST_DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
BACKLOG = ("--backlog", "4096")
_SECONDS = 20.0
_LOOK = 0.05


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
    return daemon.descriptors()


def call(port: int, *, narrow: bool = False) -> socket.socket:
    """Return a connection; with a *narrow* one the kernel holds little for either side.

    A peer chooses how much the other side's kernel takes for it: by its own window, and by
    the size of segments, from which Linux reckons the sender's buffer.
    """
    return testing.connect_tcp(("127.0.0.1", port), _SECONDS, narrow=narrow)


class Stopwatch(testing.Stopwatch):
    """The time that passes, less what a daemon and this process wait for a CPU."""

    def __init__(self, daemon: Daemon) -> None:
        super().__init__([daemon.process.pid])


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
