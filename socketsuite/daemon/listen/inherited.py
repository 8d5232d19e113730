"""Sockets that this process was started with: socket activation, as systemd does it.

``LISTEN_FDS`` says how many, from descriptor 3 up, ``LISTEN_PID`` for whom, and
``LISTEN_FDNAMES`` what the socket unit calls them (see ``man sd_listen_fds``).  Looks at
them, refuses what cannot be served, and says whose they are.  Knows nothing of Twisted, nor
of how a socket is served.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from socketsuite.daemon.errors import StartError, cause_text
from socketsuite.service import MAIN

FIRST_DESCRIPTOR = 3
# The last is of systemd 258.
VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
_UNNAMED = "unknown"  # what sd_listen_fds_with_names() says
_TLS = "-tls"
_FAMILY = "socketsuite-"
_INET = (socket.AF_INET, socket.AF_INET6)


@dataclass(eq=False)
class InheritedSocket:
    """A socket from outside: bound, and for streams listening.

    Its file, where it has one, belongs to whoever made it: nobody here removes it or
    changes its mode.  It must not be shut down either, only closed: the other side of the
    same socket lives on in the service manager.
    """

    socket: socket.socket
    name: str
    kind: Literal["tcp", "udp", "unix"]
    frontend: str = MAIN

    @property
    def tls(self) -> bool:
        """Whether its name promises that nobody talks there in the clear."""
        return f"-{_stem(self.name)}".endswith(_TLS)

    @property
    def path(self) -> Path | None:
        """The file of a Unix socket; ``None`` for the others, and for an abstract name."""
        name = self.socket.getsockname()
        return Path(name) if self.kind == "unix" and isinstance(name, str) else None

    def covers(self, kind: int, family: int, address: Any) -> bool:
        """Whether binding *address* would bind what this socket has already."""
        if self.kind == "unix" or kind != self.socket.type:
            return False
        mine = self.socket.getsockname()
        if mine[1] != address[1]:
            return False
        if self.socket.family == family:
            return mine[0] in ("0.0.0.0", "::") or _host(mine) == _host(address)
        dual = self.socket.family == socket.AF_INET6 and not self.socket.getsockopt(
            socket.IPPROTO_IPV6, socket.IPV6_V6ONLY
        )
        return dual and mine[0] == "::" and family == socket.AF_INET


def start_environment(environ: MutableMapping[str, str]) -> MutableMapping[str, str]:
    """Return *environ* with the variables of socket activation as this process got them.

    ``twisted.internet.endpoints`` takes them out when it is imported, for its own
    ``systemd:`` endpoints; the kernel still has what the process was started with.
    """
    try:
        entries = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return environ
    for entry in entries:
        key, _, value = os.fsdecode(entry).partition("=")
        if key in VARIABLES:
            environ.setdefault(key, value)
    return environ


def inherited_sockets(
    environ: MutableMapping[str, str], pid: int, *, first: int = FIRST_DESCRIPTOR
) -> list[InheritedSocket]:
    """Return the sockets meant for the process *pid*, in their order; they are ours now.

    The variables are taken out of *environ*: a child must not think that they are its own.

    :raises StartError: naming the one that cannot be served, and why.
    """
    said = {key: environ.pop(key, "") for key in VARIABLES}
    if said["LISTEN_PID"] != str(pid):
        return []
    count = _count(said["LISTEN_FDS"])
    names = said["LISTEN_FDNAMES"].split(":") if said["LISTEN_FDNAMES"] else [_UNNAMED] * count
    if len(names) != count:
        raise StartError(f"LISTEN_FDS says {count} sockets, and LISTEN_FDNAMES names {len(names)}")
    return [_take(first + index, name) for index, name in enumerate(names)]


def assign(
    inherited: Iterable[InheritedSocket], services: Mapping[str, Sequence[str]]
) -> dict[str, list[InheritedSocket]]:
    """Say which of *services* gets which socket, and for which of its frontends.

    The only service gets them all; of several each gets those that bear its name.  A socket is
    the first frontend's, unless its name ends in that of another one: ``irc``, ``chat-irc``,
    ``chat-irc-tls``.

    :param services: the names of each one's frontends, the first one first.
    :raises StartError: for a socket that would be nobody's.
    """
    shares: dict[str, list[InheritedSocket]] = {name: [] for name in services}
    for one in inherited:
        owner, one.frontend = _owner(one.name, services)
        if owner is None:
            raise StartError(
                f"inherited socket {_shown(one.name)} is for no service of"
                f" {', '.join(services)}; say FileDescriptorName= in its socket unit"
            )
        shares[owner].append(one)
    return shares


def check_served(inherited: Iterable[InheritedSocket], *, tcp: bool, udp: bool, tls: bool) -> None:
    """See that a frontend which speaks so can serve each of these sockets.

    A name that ends in ``-tls`` is a promise that nobody talks there in the clear.  The
    service's certificate holds for every other TCP socket, too, as it does for ``--port``.

    :raises StartError: for one that would stay deaf, or be served otherwise than its name says.
    """
    for one in inherited:
        shown = f"inherited {one.kind.upper()} socket {_shown(one.name)}"
        if (one.kind == "udp" and not udp) or (one.kind == "tcp" and not tcp):
            raise StartError(f"{shown} is not served: this service has no {one.kind.upper()} side")
        if one.tls:
            if one.kind != "tcp":
                raise StartError(f"{shown} is named for TLS, which only TCP has here")
            if not tls:
                raise StartError(f"{shown} is named for TLS, which needs --tls-cert")


def is_covered(inherited: Iterable[InheritedSocket], kind: int, family: int, address: Any) -> bool:
    """Whether one of *inherited* has the address that was asked for."""
    return any(one.covers(kind, family, address) for one in inherited)


def is_covered_path(inherited: Iterable[InheritedSocket], path: Path) -> bool:
    """Whether one of *inherited* is the Unix socket at *path*."""
    wanted = path.resolve()
    return any(one.path is not None and one.path.resolve() == wanted for one in inherited)


def _count(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    raise StartError(f"LISTEN_FDS={text!r} is not a number of sockets")


def _take(descriptor: int, name: str) -> InheritedSocket:
    shown = f"inherited socket {_shown(name)} (descriptor {descriptor})"
    try:
        os.set_inheritable(descriptor, False)
        taken = socket.socket(fileno=descriptor)
    except OSError as error:
        raise StartError(f"{shown} is no open socket: {cause_text(error)}") from None
    why = _why_not(taken)
    if why:
        taken.close()
        raise StartError(f"{shown} cannot be served: {why}")
    taken.setblocking(False)
    if taken.family == socket.AF_UNIX:
        return InheritedSocket(taken, name, "unix")
    return InheritedSocket(taken, name, "udp" if taken.type == socket.SOCK_DGRAM else "tcp")


def _why_not(taken: socket.socket) -> str:
    """Return why *taken* is nothing to serve; nothing when it is."""
    stream, datagrams = taken.type == socket.SOCK_STREAM, taken.type == socket.SOCK_DGRAM
    if taken.type == socket.SOCK_SEQPACKET:
        return "ListenSequentialPacket= is not spoken here, only streams and UDP"
    if not (stream or datagrams):
        return "it is neither a stream nor datagrams"
    if taken.family not in (*_INET, socket.AF_UNIX):
        return f"address family {int(taken.family)} is not spoken here"
    if datagrams and taken.family == socket.AF_UNIX:
        return "datagrams are served on UDP only, not on a Unix socket"
    if _is_connected(taken):
        return "it is a connection, not a listener; say Accept=no in its socket unit"
    if stream and not taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return "it does not listen"
    if datagrams and not taken.getsockname()[1]:
        return "it has no port"
    return ""


def _is_connected(taken: socket.socket) -> bool:
    try:
        taken.getpeername()
    except OSError:
        return False
    return True


def _owner(name: str, services: Mapping[str, Sequence[str]]) -> tuple[str | None, str]:
    """Return the service and the frontend that *name* means.

    ``echo`` and ``socketsuite-echo`` are the same.  The only service needs no name.
    """
    plain = _stem(name).removeprefix(_FAMILY)
    meant = {}
    for service, frontends in services.items():
        short = service.removeprefix(_FAMILY)
        for frontend in frontends:
            meant[f"{short}-{frontend}"] = service, frontend
            if len(services) == 1:
                meant[frontend] = service, frontend
    for service, frontends in services.items():
        meant[service.removeprefix(_FAMILY)] = service, frontends[0]
    for wanted in (plain, plain.removesuffix(_TLS)):
        if wanted in meant:
            return meant[wanted]
    if len(services) == 1:
        ((service, frontends),) = services.items()
        return service, frontends[0]
    return None, MAIN


def _stem(name: str) -> str:
    """Return *name* without the suffix it has where systemd took the unit's own for it."""
    return name.removesuffix(".socket")


def _host(address: Any) -> tuple[str, int]:
    """Return the host, with its scope: a link-local address is another on each interface."""
    return address[0], address[3] if len(address) > 3 else 0


def _shown(name: str) -> str:
    return repr(name) if name.isascii() else ascii(name)
