"""The options of a daemon's UDP sockets: groups, hops, buffers.

Sets options on sockets that are bound; must not know what is served on them.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import dataclass
from typing import Any, NamedTuple

from socketsuite.daemon.errors import StartError, cause_text
from socketsuite.settings import byte_size, setting

# Linux's <netinet/in.h>; Python names it from 3.12 on.
_IP_ADD_SOURCE_MEMBERSHIP = 39


class Group(NamedTuple):
    """A multicast group, and the one source it is wanted from, if only one is."""

    group: str
    source: str | None


def read_group(raw: Any) -> Group:
    """Read ``GROUP`` or ``SOURCE@GROUP``; a ``parse=`` for a setting."""
    try:
        source, at, group = str(raw).rpartition("@")
        found = ipaddress.ip_address(group)
        if not found.is_multicast:
            raise ValueError
        if at:
            if found.version != 4 or ipaddress.ip_address(source).version != 4:
                raise ValueError
            return Group(str(found), str(ipaddress.ip_address(source)))
    except ValueError:
        raise ValueError(
            "a multicast address such as 239.1.2.3 or ff02::1234, or SOURCE@GROUP (IPv4)"
        ) from None
    return Group(str(found), None)


def buffer_size(raw: Any) -> int:
    """Read a size that the kernel takes; a ``parse=`` for a setting."""
    try:
        size = byte_size(raw)
    except ValueError as error:
        raise ValueError(f"{error}, less than 2G") from None
    if size >= 2 << 30:
        raise ValueError("a number of bytes such as 65536, 64K or 1M, less than 2G")
    return size


@dataclass(eq=False)
class DatagramSettings:
    """UDP."""

    join_group: tuple[Group, ...] = setting(
        (),
        "multicast group to hear, or SOURCE@GROUP for what one source sends to it; may be"
        " repeated; needs --interface 0.0.0.0 or ::",
        metavar="GROUP",
        parse=read_group,
    )
    multicast_interface: str = setting(
        "",
        "address (IPv4) or name (IPv6) of the interface on which groups are joined",
        metavar="ADDRESS",
    )
    multicast_ttl: int = setting(
        1, "hops that an answer to a group may take", minimum=0, maximum=255
    )
    multicast_loop: bool = setting(True, "let this machine hear what is sent to a group")
    ttl: int = setting(
        0, "hops that an answer may take; 0 is the system's default", minimum=0, maximum=255
    )
    broadcast: bool = setting(False, "let answers go to a broadcast address")
    receive_buffer: int = setting(
        0,
        "bytes the kernel holds of datagrams that wait; 0 is the system's default",
        metavar="BYTES",
        parse=buffer_size,
    )
    send_buffer: int = setting(
        0,
        "bytes the kernel holds of answers; 0 is the system's default",
        metavar="BYTES",
        parse=buffer_size,
    )


def set_datagram_options(bound: list[socket.socket], settings: DatagramSettings) -> None:
    """Set what *settings* say on the UDP sockets in *bound*.

    :raises StartError: naming the option, and why it cannot be set.
    """
    for one in bound:
        six = one.family == socket.AF_INET6
        level = socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP
        hops = socket.IPV6_MULTICAST_HOPS if six else socket.IP_MULTICAST_TTL
        loop = socket.IPV6_MULTICAST_LOOP if six else socket.IP_MULTICAST_LOOP
        one.setsockopt(level, hops, settings.multicast_ttl)
        one.setsockopt(level, loop, int(settings.multicast_loop))
        if settings.ttl:
            unicast = socket.IPV6_UNICAST_HOPS if six else socket.IP_TTL
            one.setsockopt(level, unicast, settings.ttl)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, int(settings.broadcast))
        if settings.receive_buffer:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, settings.receive_buffer)
        if settings.send_buffer:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, settings.send_buffer)
    for group in settings.join_group:
        _join(bound, group, settings.multicast_interface)


def _join(bound: list[socket.socket], group: Group, interface: str) -> None:
    family = socket.AF_INET6 if ":" in group.group else socket.AF_INET
    fitting = [one for one in bound if one.family == family]
    if not fitting:
        raise StartError(
            f"cannot join {group.group}: no UDP socket of its family is open; say --interface"
            f" {'::' if family == socket.AF_INET6 else '0.0.0.0'}"
        )
    for one in fitting:
        try:
            if family == socket.AF_INET6:
                index = socket.if_nametoindex(interface) if interface else 0
                wanted = socket.inet_pton(family, group.group) + struct.pack("@I", index)
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, wanted)
                continue
            here = socket.inet_aton(interface or "0.0.0.0")
            there = socket.inet_aton(group.group)
            if group.source is None:
                one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, there + here)
            else:
                wanted = there + here + socket.inet_aton(group.source)
                one.setsockopt(socket.IPPROTO_IP, _IP_ADD_SOURCE_MEMBERSHIP, wanted)
        except OSError as error:
            cause = cause_text(error) if error.errno else "no such interface"
            raise StartError(
                f"cannot join {group.group}: {cause}; --multicast-interface says where"
            ) from None
