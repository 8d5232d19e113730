"""The sockets of a running daemon, lent to a test by the kernel (pidfd_getfd)."""

from __future__ import annotations

import ctypes
import os
import socket
import stat
from collections.abc import Callable

import pytest

from socketsuite.testing import Daemon

_PIDFD_GETFD = 438  # the same number on every architecture


def lent_socket(daemon: Daemon, wanted: Callable[[socket.socket], bool]) -> socket.socket:
    """Return our own descriptor of the first of *daemon*'s sockets that is *wanted*."""
    process = os.pidfd_open(daemon.process.pid)
    try:
        for name in os.listdir(f"/proc/{daemon.process.pid}/fd"):
            taken = ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_GETFD, process, int(name), 0)
            if taken < 0:
                why = os.strerror(ctypes.get_errno())
                pytest.skip(f"this machine does not lend descriptors: {why}")
            if not stat.S_ISSOCK(os.fstat(taken).st_mode):
                os.close(taken)
                continue
            one = socket.socket(fileno=taken)
            if wanted(one):
                return one
            one.close()
    finally:
        os.close(process)
    raise AssertionError("it has no such socket")


def is_listening(one: socket.socket) -> bool:
    """Whether callers are accepted from this socket."""
    return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def has_peer(address: object) -> Callable[[socket.socket], bool]:
    """Return what finds the socket that is connected to *address*."""

    def check(one: socket.socket) -> bool:
        try:
            return bool(one.getpeername() == address)
        except OSError:
            return False

    return check
