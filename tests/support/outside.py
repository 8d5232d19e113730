"""Outside programs at work on a daemon, and what an outsider can see of it."""

from __future__ import annotations

import contextlib
import hashlib
import select
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from socketsuite.testing import Daemon
from socketsuite.testing import reset as reset

NODE = Path(__file__).parent / "node"
SECONDS = 20.0
MEGABYTE = 1 << 20


@contextlib.contextmanager
def at_work(*command: str | Path) -> Iterator[socket.socket]:
    """Run an outside program, whose standard input and output are the socket given."""
    ours, theirs = socket.socketpair()
    ours.settimeout(SECONDS)
    ends = theirs.fileno()
    with ours, subprocess.Popen(command, stdin=ends, stdout=ends) as process:
        theirs.close()
        try:
            yield ours
        finally:
            process.kill()


def piped(text: bytes, *command: str | Path) -> bytes:
    """Return what an outside program says, *text* being all of its standard input."""
    done = subprocess.run(command, input=text, capture_output=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def memory(daemon: Daemon, key: str = "VmRSS") -> int:
    """Return the bytes of memory a daemon has now, or (``VmHWM``) has ever had."""
    return daemon.memory(key)


def comes_back_to_a_late_reader(caller: socket.socket, total: int) -> None:
    """Send *total* bytes, read only when no more can be sent, and check what comes back."""
    sent, received = hashlib.sha256(), hashlib.sha256()
    block = bytes(range(256)) * 256
    count = 0
    caller.setblocking(False)
    while select.select([], [caller], [], 0.3)[1]:
        piece = block[: caller.send(block)]
        sent.update(piece)
        count += len(piece)
    assert count < total, "the daemon reads on from a caller who does not read"
    caller.settimeout(SECONDS)

    def send_the_rest() -> None:
        nonlocal count
        while count < total:
            # No block is like another, so that one in the wrong place is noticed.
            piece = (count.to_bytes(8, "big") * 8192)[: total - count]
            caller.sendall(piece)
            sent.update(piece)
            count += len(piece)
        caller.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send_the_rest)
    sender.start()
    arrived = 0
    while piece := caller.recv(1 << 16):
        received.update(piece)
        arrived += len(piece)
    sender.join(SECONDS)
    assert arrived == total
    assert received.digest() == sent.digest()
