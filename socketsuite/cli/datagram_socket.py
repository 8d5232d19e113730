"""A UDP socket with the options of Node's ``dgram``, opened before anything is sent.

This module must not know of Twisted, nor what the datagrams are for.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from socketsuite.transport.dial.failed import Failed, os_cause, os_code

# Python names it from 3.12 on; this is Linux's <netinet/in.h>.
_IP_ADD_SOURCE_MEMBERSHIP = getattr(socket, "IP_ADD_SOURCE_MEMBERSHIP", 39)

# As the socket module has it: host, port, and for IPv6 flow and scope.
Address = tuple[Any, ...]


@dataclass(frozen=True)
class SocketChoice:
    """The options, as the user gave them; ``None`` leaves the system's default.

    :ivar bind: address and port to send from and to listen on.
    :ivar connect: hear that peer only, and hear of its ICMP refusals.
    :ivar ttl: hops of a unicast datagram, 1–255.
    :ivar multicast_ttl: hops of a multicast datagram, 0–255.
    :ivar multicast_interface: for sending and joining; its address for IPv4, its name for
        IPv6.
    :ivar join_group: multicast groups to hear.
    :ivar source: hear those groups from this sender only (RFC 4607; IPv4).
    :ivar recv_buffer, send_buffer: bytes; Linux doubles them and has a ceiling.
    """

    bind: tuple[str, int] | None = None
    connect: bool = False
    broadcast: bool = False
    ttl: int | None = None
    multicast_ttl: int | None = None
    multicast_loop: bool | None = None
    multicast_interface: str | None = None
    join_group: tuple[str, ...] = ()
    source: str | None = None
    recv_buffer: int | None = None
    send_buffer: int | None = None


def open_socket(choice: SocketChoice, family: int, peer: Address) -> socket.socket:
    """Return a non-blocking UDP socket of *family*, with every option set.

    :raises Failed: naming the option that the system refuses, and why.
    """
    with _refusal("Cannot open a socket"):
        made = socket.socket(family, socket.SOCK_DGRAM)
    made.setblocking(False)
    try:
        for name, level, option, value in _options(choice, family):
            if value is not None:
                with _refusal(name):
                    made.setsockopt(level, option, value)
        if choice.bind is not None:
            with _refusal("--bind"):
                made.bind(choice.bind)
        for group in choice.join_group:
            with _refusal(f"--join-group {group}"):
                made.setsockopt(*_membership(choice, family, group))
        if choice.connect:
            with _refusal("--connect"):
                made.connect(peer)
    except BaseException:
        made.close()
        raise
    return made


@contextmanager
def _refusal(name: str) -> Iterator[None]:
    """Say which option the system, or the address's own syntax, is against."""
    try:
        yield
    except OSError as error:
        raise Failed(f"{name}: {os_cause(error)}", os_code(error)) from None
    except ValueError as error:
        raise Failed(f"{name}: {error}") from None


def _options(
    choice: SocketChoice, family: int
) -> Iterator[tuple[str, int, int, int | bytes | None]]:
    loop = None if choice.multicast_loop is None else int(choice.multicast_loop)
    base = socket.SOL_SOCKET
    yield "--broadcast", base, socket.SO_BROADCAST, int(choice.broadcast)
    yield "--recv-buffer", base, socket.SO_RCVBUF, choice.recv_buffer
    yield "--send-buffer", base, socket.SO_SNDBUF, choice.send_buffer
    # Several programs on one machine may hear one group on one port.
    yield "--join-group", base, socket.SO_REUSEADDR, int(bool(choice.join_group))
    with _refusal("--multicast-interface"):
        interface = _interface(choice.multicast_interface, family)
    if family == socket.AF_INET6:
        base = socket.IPPROTO_IPV6
        yield "--ttl", base, socket.IPV6_UNICAST_HOPS, choice.ttl
        yield "--multicast-ttl", base, socket.IPV6_MULTICAST_HOPS, choice.multicast_ttl
        yield "--multicast-loop", base, socket.IPV6_MULTICAST_LOOP, loop
        yield "--multicast-interface", base, socket.IPV6_MULTICAST_IF, interface
    else:
        base = socket.IPPROTO_IP
        yield "--ttl", base, socket.IP_TTL, choice.ttl
        yield "--multicast-ttl", base, socket.IP_MULTICAST_TTL, choice.multicast_ttl
        yield "--multicast-loop", base, socket.IP_MULTICAST_LOOP, loop
        yield "--multicast-interface", base, socket.IP_MULTICAST_IF, interface


def _interface(given: str | None, family: int) -> bytes | None:
    """Return the interface as the kernel wants it: an IPv4 address, or a number for IPv6."""
    if given is None:
        return None
    if family == socket.AF_INET6:
        return struct.pack("@I", socket.if_nametoindex(given))
    return IPv4Address(given).packed


def _membership(choice: SocketChoice, family: int, group: str) -> tuple[int, int, bytes]:
    interface = _interface(choice.multicast_interface, family)
    if family == socket.AF_INET6:
        if choice.source is not None:
            raise ValueError("--source is for IPv4 groups")
        member = IPv6Address(group).packed + (interface or bytes(4))
        return socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member
    member = IPv4Address(group).packed + (interface or bytes(4))
    if choice.source is None:
        return socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member
    member += IPv4Address(choice.source).packed
    return socket.IPPROTO_IP, _IP_ADD_SOURCE_MEMBERSHIP, member
