"""Whose datagrams are answered, and how many of them in a second.

UDP has no connection to refuse: anybody can write any source address on a datagram, and an
answer to the wrong one is an attack or begins a loop.  This module must not know of
sockets, nor of what a service answers.

A peer's budget is that of its host (an IPv6 network of 64 bits counts as one), whatever
the port.  A loop between two services has fixed ports and would be caught by either; but
who floods a victim by way of our answers, or a reflector, is free to write a new port on
each datagram, and what is to be kept from the victim's machine is the sum of it.  The
price is that the clients behind one NAT share a budget.
"""

from __future__ import annotations

from collections.abc import Callable

from socketsuite.addresses import packed_host
from socketsuite.reasons import (
    BROADCAST_SOURCE,
    MULTICAST_SOURCE,
    RATE,
    SOURCE_PORT,
    UNSPECIFIED_SOURCE,
    Reason,
)

# Servers below; 2049 is NFS, the one server above that every inetd knows of.  A client's
# port is seldom either: a resolver may ask from 53, an NTP server from 123.
_LOWEST_UNPRIVILEGED = 1024
_NFS_PORT = 2049
# Port 0 cannot be answered.
_LOWEST_PORT = 1
_NO_PORT = -1
_GENERATION = 1 << 13


class _Peer:
    """One host; *due* is when its budget is whole again."""

    __slots__ = ("due",)

    def __init__(self) -> None:
        self.due = 0.0


class DatagramPolicy:
    """Says whether a datagram may be answered.

    The budget is a token bucket (kept as the time at which it is full again): one second's
    worth may come at once, and *udp_rate* a second in the long run.  What was refused costs
    nothing.  A datagram in a loop that is refused is gone, so a loop faster than the budget
    ends; a slower one goes on within it.

    Peers are kept in two generations: when the young one is full it becomes the old one,
    which is forgotten.  A peer is moved to the young one when it is heard of again, so only
    peers lose their mark that said nothing while *generation* others came.

    :param udp_rate: datagrams a second; 0 is no limit.
    :param seconds: a monotonic clock.
    :param any_port: whether a datagram may come from a server's port.
    """

    __slots__ = (
        "_allowance",
        "_cost",
        "_generation",
        "_lowest",
        "_old",
        "_seconds",
        "_server",
        "_young",
        "udp_rate",
    )

    def __init__(
        self,
        udp_rate: float,
        seconds: Callable[[], float],
        *,
        any_port: bool = False,
        generation: int = _GENERATION,
    ) -> None:
        self._seconds = seconds
        self._generation = generation
        # By the text of an address, which is quick to look up; those of one IPv6 network
        # share a peer, which is found by the network's bytes, too.
        self._young: dict[str | bytes, _Peer] = {}
        self._old: dict[str | bytes, _Peer] = {}
        self.limit(udp_rate, any_port=any_port)

    def limit(self, udp_rate: float, *, any_port: bool) -> None:
        """Change the budget, and the ports; what peers have used of the budget stays used."""
        self._lowest = _LOWEST_PORT if any_port else _LOWEST_UNPRIVILEGED
        self._server = _NO_PORT if any_port else _NFS_PORT
        self.udp_rate = udp_rate
        self._cost = 1 / udp_rate if udp_rate else 0.0
        # What may be used of the burst already, when one more comes; and a hair, since sums
        # of fractions are never exact.
        self._allowance = max(1.0, self._cost) - 0.99 * self._cost

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def refusal(self, host: str, port: int) -> Reason | None:
        """Return why a datagram from there is not answered, or ``None``.

        Called for each datagram: a known peer costs one look-up and the clock.
        """
        if port < self._lowest or port == self._server:
            return SOURCE_PORT
        peer = self._young.get(host)
        if peer is None:
            found = self._meet(host)
            if isinstance(found, Reason):
                return found
            peer = found
        cost = self._cost
        if not cost:
            return None
        now = self._seconds()
        due = peer.due
        if due <= now:
            peer.due = now + cost
        elif due - now > self._allowance:
            return RATE
        else:
            peer.due = due + cost
        return None

    def _meet(self, host: str) -> _Peer | Reason:
        """Return the peer for an address that is not in the young generation, or a refusal."""
        packed = packed_host(host)
        key: str | bytes = host
        if packed is not None:
            reason = _unanswerable(packed)
            if reason is not None:
                return reason
            # One host whichever socket it came by: IPv4, or IPv4 inside IPv6.
            key = packed[:8]
        young, old = self._young, self._old
        peer = young.get(key) or old.get(key) or _Peer()
        if len(young) >= self._generation:
            self._old = young
            self._young = young = {}
        young[key] = young[host] = peer
        return peer


def _unanswerable(packed: bytes) -> Reason | None:
    """Return why nobody is to be answered at that address, whatever the port.

    An address that ends in .255 is a host in most networks that are not a /24, and refusing
    it would refuse that host.  The kernel drops what claims to come from a broadcast address
    of our own networks, and no router passes on what is sent to another's (RFC 2644).
    The unspecified address would be answered to this very machine.
    """
    if len(packed) == 16:
        if packed[0] == 0xFF:
            return MULTICAST_SOURCE
        return None if any(packed) else UNSPECIFIED_SOURCE
    if packed[0] & 0xF0 == 0xE0:
        return MULTICAST_SOURCE
    if packed == b"\xff\xff\xff\xff":
        return BROADCAST_SOURCE
    return UNSPECIFIED_SOURCE if packed == b"\0\0\0\0" else None
