"""A daemon in a network namespace of its own, with a loopback that is nobody else's."""

from __future__ import annotations

import ctypes
import subprocess
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

from socketsuite.testing import Daemon
from tests.support.peers import program

IN_OWN_NETWORK = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
"""What a daemon is run by, so that it has such a network."""

_CLONE_NEWNET = 0x40000000  # linux/sched.h
_Done = TypeVar("_Done")


def skip_without_networks() -> None:
    """Skip the test where such a network cannot be made."""
    program("ip")
    done = subprocess.run([*IN_OWN_NETWORK, "true"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"this machine allows no network of one's own: {done.stderr.strip()}")


def beside(process: Daemon | int, work: Callable[[], _Done]) -> _Done:
    """Return what *work* does in a process's network; a socket made there stays there."""
    number = process if isinstance(process, int) else process.process.pid
    done: list[_Done] = []
    failed: list[Exception] = []

    def enter_and_work() -> None:
        try:
            with open(f"/proc/{number}/ns/net") as network:
                assert ctypes.CDLL(None).setns(network.fileno(), _CLONE_NEWNET) == 0
            done.append(work())
        except Exception as error:  # noqa: BLE001 - raised again where it was asked for
            failed.append(error)

    thread = threading.Thread(target=enter_and_work)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]
