"""A daemon in a network namespace of its own, with a loopback that is nobody else's."""

from __future__ import annotations

import ctypes
import subprocess
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

from socketsuite.testing import Daemon
from tests.peers import program

ALONE = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
"""What a daemon is run by, so that it has such a network."""

_CLONE_NEWNET = 0x40000000  # linux/sched.h
_Done = TypeVar("_Done")


def skip_without_networks() -> None:
    """Skip the test where such a network cannot be made."""
    program("ip")
    done = subprocess.run([*ALONE, "true"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"this machine allows no network of one's own: {done.stderr.strip()}")


def beside(daemon: Daemon, work: Callable[[], _Done]) -> _Done:
    """Return what *work* does in the daemon's network; a socket made there stays there."""
    done: list[_Done] = []

    def enter_and_work() -> None:
        with open(f"/proc/{daemon.process.pid}/ns/net") as network:
            assert ctypes.CDLL(None).setns(network.fileno(), _CLONE_NEWNET) == 0
        done.append(work())

    thread = threading.Thread(target=enter_and_work)
    thread.start()
    thread.join()
    (it,) = done
    return it
