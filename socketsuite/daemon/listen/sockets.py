"""Bound sockets, all of them or none: everything that can fail fails before the start.

Makes plain kernel sockets from settings; knows nothing of Twisted, factories or TLS.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from socketsuite.daemon.errors import StartError, cause_text
from socketsuite.daemon.listen.inherited import InheritedSocket, is_covered, is_covered_path
from socketsuite.daemon.listen.settings import LOOPBACK, ListenSettings
from socketsuite.daemon.listen.unix_sockets import bind_path, inode_of, try_path
from socketsuite.service import MAIN

_PORT_TRIES = 32
_NO_SUCH_FAMILY = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


@dataclass(eq=False)
class BoundSocket:
    """A socket that has its address; streams are already listening.

    *path* is set for Unix sockets, with the *inode* this process made, so that at the
    end nobody else's file is removed; an *inherited* socket's has none.  *frontend* is the
    name of the one that it is for; *tls* says that it is for TLS whatever holds for others.
    """

    socket: socket.socket
    path: Path | None = None
    inode: tuple[int, int] | None = None
    inherited: bool = False
    frontend: str = MAIN
    tls: bool = False

    @property
    def datagrams(self) -> bool:
        """Whether this is a UDP socket."""
        return self.socket.type == socket.SOCK_DGRAM

    def close(self) -> None:
        """Close the socket, and remove the Unix socket file if it is still ours."""
        self.socket.close()
        self.remove_path()

    def remove_path(self) -> None:
        """Remove the Unix socket file if it is still the one made here."""
        if self.path is None or self.inode is None:
            return
        try:
            if inode_of(self.path) == self.inode:
                self.path.unlink()
        except OSError:
            pass  # gone already, or its folder is no longer ours to write


def bind_all(
    settings: ListenSettings,
    *,
    tcp: bool,
    udp: bool,
    inherited: Sequence[InheritedSocket] = (),
    prefix: str = "",
) -> list[BoundSocket]:
    """Open every socket that *settings* names, except what is *inherited* already.

    :param tcp: listen for streams on the ports.
    :param udp: open a datagram socket beside, on the same port numbers.
    :param prefix: what the flags begin with that say where to listen, for errors.
    :raises StartError: naming the address that failed, the cause and the cure; by then
        nothing is open any more.
    """
    bound = [BoundSocket(one.socket, one.path, inherited=True, tls=one.tls) for one in inherited]
    kinds = [socket.SOCK_STREAM] * tcp + [socket.SOCK_DGRAM] * udp
    try:
        for one in bound:
            set_accepted_options(one.socket, settings)
        for port in settings.port:
            bound += _bind_port(settings, port, kinds, inherited, f"--{prefix}port")
        for port in settings.tls_port:
            streams = [socket.SOCK_STREAM]
            opened = _bind_port(settings, port, streams, inherited, f"--{prefix}tls-port")
            bound += [replace(one, tls=True) for one in opened]
        for path in settings.unix:
            if not is_covered_path(inherited, path):
                made = bind_path(path, settings.unix_mode, settings.backlog)
                bound.append(BoundSocket(made, path, inode_of(path)))
    except BaseException:
        for one in bound:
            one.close()
        raise
    return bound


def try_addresses(settings: ListenSettings, *, tcp: bool, udp: bool) -> list[BoundSocket]:
    """Bind a port of the kernel's choice on every interface, and listen on none.

    Whoever has the ports that *settings* name is not disturbed, and nobody can connect.

    :return: the sockets, for the caller to close.
    :raises StartError: as :func:`bind_all` does, for an address or a path that no start could
        have.  What is in use now may be so by the very daemon that these settings are for.
    """
    kinds = [socket.SOCK_STREAM] * tcp + [socket.SOCK_DGRAM] * udp
    bound: list[BoundSocket] = []
    try:
        ports = settings.port + settings.tls_port
        for interface in settings.interface if ports else ():
            for kind in kinds:
                try:
                    one = _bind_inet(settings, interface, 0, kind, (), listen=False)
                except OSError as error:
                    raise _refusal(interface, ports[0], kind, error) from None
                if one is not None:
                    bound.append(BoundSocket(one))
        for path in settings.unix:
            try_path(path)
    except BaseException:
        for made in bound:
            made.close()
        raise
    return bound


def _bind_port(
    settings: ListenSettings,
    port: int,
    kinds: list[socket.SocketKind],
    inherited: Sequence[InheritedSocket],
    flag: str,
) -> list[BoundSocket]:
    """Open *port* on every interface; with port 0, the same number on all of them."""
    for _ in range(_PORT_TRIES if port == 0 else 1):
        bound: list[BoundSocket] = []
        try:
            number = port
            for interface in settings.interface:
                for kind in kinds:
                    one = _bind_inet(settings, interface, number, kind, inherited)
                    if one is not None:
                        bound.append(BoundSocket(one))
                        number = one.getsockname()[1]
        except OSError as error:
            for other in bound:
                other.close()
            taken_meanwhile = port == 0 and bound and error.errno == errno.EADDRINUSE
            if not taken_meanwhile:
                raise _refusal(interface, number, kind, error, flag) from None
        else:
            if not (bound or inherited):
                raise StartError("nothing to listen on: no interface has an address here")
            return bound
    raise StartError(f"no free port is the same on {', '.join(settings.interface)}")


def _bind_inet(
    settings: ListenSettings,
    interface: str,
    port: int,
    kind: socket.SocketKind,
    inherited: Sequence[InheritedSocket],
    *,
    listen: bool = True,
) -> socket.socket | None:
    try:
        family, address = _resolve(interface, port, kind)
        if is_covered(inherited, kind, family, address):
            return None
        made = socket.socket(family, kind)
    except OSError as error:
        if _may_be_missing(settings, interface, error):
            return None
        raise
    try:
        _set_options(made, settings, interface)
        made.bind(address)
        if listen and kind == socket.SOCK_STREAM:
            made.listen(settings.backlog)
    except OSError as error:
        made.close()
        if _may_be_missing(settings, interface, error):
            return None
        raise
    made.setblocking(False)
    return made


def _may_be_missing(settings: ListenSettings, interface: str, error: OSError) -> bool:
    """Whether *interface* is the IPv6 loopback of the default, on a machine without IPv6."""
    unasked = settings.interface == LOOPBACK and interface == "::1"
    return unasked and error.errno in _NO_SUCH_FAMILY


def _resolve(
    interface: str, port: int, kind: socket.SocketKind
) -> tuple[socket.AddressFamily, Any]:
    flags = socket.AI_NUMERICHOST | socket.AI_PASSIVE
    try:
        # Bytes: for text Python would load its IDNA codec now, which a chroot has taken away.
        found = socket.getaddrinfo(interface.encode("ascii"), port, type=kind, flags=flags)
    except (socket.gaierror, UnicodeError):
        raise StartError(
            f"--interface {interface!r} is not an address; say an IPv4 or IPv6 address of"
            " this machine, such as 127.0.0.1, ::1, 0.0.0.0 or ::"
        ) from None
    return found[0][0], found[0][4]


def _set_options(made: socket.socket, settings: ListenSettings, interface: str) -> None:
    if made.family == socket.AF_INET6:
        # '::' alone takes IPv4 callers too, whatever the machine's default says.
        no_ipv4 = "0.0.0.0" not in settings.interface
        dual = interface == "::" and no_ipv4
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual else 1)
    if settings.reuse_port:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if made.type == socket.SOCK_STREAM:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    set_accepted_options(made, settings)


def set_accepted_options(made: socket.socket, settings: ListenSettings) -> None:
    """Set what an accepted TCP socket is to have, on it or on the socket it is accepted from."""
    if made.type != socket.SOCK_STREAM or made.family == socket.AF_UNIX:
        return
    # On Linux an accepted socket inherits these, so no connection pays for them.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if settings.keepalive > 0:
        idle = max(1, round(settings.keepalive))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, idle // 4))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
    if settings.user_timeout > 0 and hasattr(socket, "TCP_USER_TIMEOUT"):
        milliseconds = max(1, round(settings.user_timeout * 1000))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def _refusal(
    interface: str, port: int, kind: socket.SocketKind, error: OSError, flag: str = "--port"
) -> StartError:
    protocol = "TCP" if kind == socket.SOCK_STREAM else "UDP"
    where = f"cannot listen on {interface} {protocol} port {port}: {cause_text(error)}"
    cures = {
        errno.EADDRINUSE: f"; say another {flag}, or see who has it: socketsuite ports --all",
        errno.EADDRNOTAVAIL: "; see 'ip addr' for the addresses it has, and say one by --interface",
        errno.EACCES: (
            f"; ports below 1024 need privilege: say a {flag} from 1024 up, start as root with"
            " twistd's --uid, or give CAP_NET_BIND_SERVICE"
        ),
    }
    return StartError(where + cures.get(error.errno or 0, ""))
