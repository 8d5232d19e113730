"""This machine's sockets and the suite's processes, as the kernel tells them.

This module must not know how a row is shown.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from socketsuite.addresses import endpoint_text, path_text

_NAMES = {
    (socket.AF_INET, socket.SOCK_STREAM): "tcp",
    (socket.AF_INET6, socket.SOCK_STREAM): "tcp6",
    (socket.AF_INET, socket.SOCK_DGRAM): "udp",
    (socket.AF_INET6, socket.SOCK_DGRAM): "udp6",
}
_SUITE = re.compile(r"socketsuite(-[a-z0-9-]+)?")
# Of /proc/net/unix: the flag __SO_ACCEPTCON, and the state SS_CONNECTED.
_ACCEPTS = 0x10000
_CONNECTED = 3


@dataclass(frozen=True)
class Row:
    """One socket.

    :ivar protocol: ``tcp``, ``tcp6``, ``udp``, ``udp6`` or ``unix``.
    :ivar state: ``LISTEN``, ``ESTABLISHED`` and so on; empty where there is none.
    :ivar pid: ``None`` if it is hidden from us, or the socket outlived its process.
    :ivar service: the twistd command, or the process's name; empty without a *pid*.
    """

    protocol: str
    local: str
    remote: str
    state: str
    pid: int | None
    service: str

    @property
    def listening(self) -> bool:
        """Whether strangers may send something there."""
        return self.state == "LISTEN" or (self.protocol.startswith("udp") and not self.remote)


def service_name(words: Sequence[str], known: Collection[str]) -> str | None:
    """Return the twistd command that the command line *words* runs; ``None`` if it is none.

    :param known: the names of the installed plugins; any ``socketsuite-…`` counts too.
    """
    for index, word in enumerate(words):
        as_module = word == "-m" and words[index + 1 : index + 2] == ["twisted"]
        if as_module or os.path.basename(word) == "twistd":
            rest = words[index + 1 :]
            named = (word for word in rest if word in known)
            prefixed = (word for word in rest if _SUITE.fullmatch(word))
            return next(named, None) or next(prefixed, None)
    return None


def suite_processes(known: Collection[str]) -> dict[int, str]:
    """Return the suite's processes: their twistd commands by pid."""
    found = {}
    for process in psutil.process_iter(["cmdline"]):
        name = service_name(process.info["cmdline"] or [], known)
        if name is not None:
            found[process.pid] = name
    return found


def hidden_processes(pids: Collection[int]) -> int:
    """Return how many of *pids* do not let us see their sockets."""
    return sum(1 for pid in pids if not _open_to_us(pid))


def _open_to_us(pid: int) -> bool:
    try:
        psutil.Process(pid).num_fds()
    except psutil.AccessDenied:
        return False
    except psutil.NoSuchProcess:
        pass
    return True


def sockets(services: dict[int, str], *, everybody: bool) -> list[Row]:
    """Return the sockets of the processes in *services*; with *everybody*, all there are.

    In the order of protocol, then port or path.
    """
    unix_states = _unix_states()
    rows = []
    for found in psutil.net_connections("all"):
        if found.pid in services or everybody:
            service = _service(found.pid, services)
            rows.append((_order(found), _row(found, service, unix_states)))
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]


def _order(found: Any) -> tuple[str, int, str, int]:
    protocol = _NAMES.get((found.family, found.type), "unix")
    port = found.laddr.port if hasattr(found.laddr, "port") else 0
    return protocol, port, str(found.laddr), found.fd


def _row(found: Any, service: str, unix_states: dict[str, str]) -> Row:
    protocol = _NAMES.get((found.family, found.type), "unix")
    if protocol == "unix":
        state = unix_states.get(_socket_link(found), "")
    else:
        state = "" if found.status == psutil.CONN_NONE else found.status
    return Row(protocol, _address(found.laddr), _address(found.raddr), state, found.pid, service)


def _address(address: Any) -> str:
    if hasattr(address, "port"):
        return endpoint_text(address.ip, address.port)
    return path_text(address) if address else ""


def _service(pid: int | None, services: dict[int, str]) -> str:
    if pid is None:
        return ""
    try:
        return services.get(pid) or path_text(psutil.Process(pid).name())
    except psutil.Error:
        return ""


def _socket_link(found: Any) -> str:
    """Return ``socket:[INODE]``, by which the kernel names one socket everywhere."""
    try:
        return os.readlink(f"/proc/{found.pid}/fd/{found.fd}")
    except OSError:
        return ""


def _unix_states() -> dict[str, str]:
    """Return the states of the Unix sockets, which psutil leaves out; Linux only."""
    return dict(_read_unix_states(Path("/proc/net/unix")))


def _read_unix_states(path: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = path.read_text(errors="surrogateescape").splitlines()[1:]
    except OSError:
        return
    for line in lines:
        _, _, _, flags, _, state, inode, *_ = line.split()
        if int(flags, 16) & _ACCEPTS:
            yield f"socket:[{inode}]", "LISTEN"
        elif int(state, 16) == _CONNECTED:
            yield f"socket:[{inode}]", "ESTABLISHED"
