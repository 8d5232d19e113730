"""The header in which a proxy says whose connection it forwards: PROXY protocol, 1 and 2.

What follows the header belongs to others (a TLS handshake, often), so the framer says how
many of the bytes that wait are the header's, and its reader takes no more than those.

This module must not know where the bytes come from, nor whom to believe: a header is worth
as much as the host that sent it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv6Address

Endpoint = tuple[str, int]

MAX_LINE = 107
"""Bytes of the longest header of version 1, with its CRLF."""
MAX_BLOCK = 4096
"""Bytes that a header of version 2 may have after its fixed part; the format allows 65,535."""

_LINE_START = b"PROXY "
_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_FIXED = 16
MAX_HEADER = _FIXED + MAX_BLOCK

_LOCAL, _PROXY = 0, 1
_INET, _INET6, _UNIX = 1, 2, 3
_STREAM, _DATAGRAM = 1, 2
# Bytes of the two addresses and ports, by family.
_ADDRESS_BYTES = {_INET: 12, _INET6: 36, _UNIX: 216}
_CRC32C = 3


class BadHeader(Exception):
    """This is no valid header; the text says why, in words that hold nothing of the peer's."""


@dataclass(frozen=True)
class Header:
    """Whose connection this is.

    :ivar version: 1 or 2.
    :ivar source: the client's host and port; ``None`` where the header gives no address
        that a TCP connection can have (``UNKNOWN``, ``LOCAL``, no family, a Unix socket, a
        datagram): the connection is its own peer's then.
    :ivar destination: where the client connected to; ``None`` exactly when *source* is.
    """

    version: int
    source: Endpoint | None = None
    destination: Endpoint | None = None


def may_begin(data: bytes) -> bool:
    """Whether *data*, the first bytes of a connection, may be the beginning of a header."""
    return any(start.startswith(data[: len(start)]) for start in (_LINE_START, _SIGNATURE))


class HeaderFramer:
    """Takes one header off the beginning of a stream, however it was cut into chunks.

    Look at the bytes that wait, ask :meth:`belonging`, take so many, :meth:`feed` them.

    :ivar held: what was fed.
    """

    def __init__(self) -> None:
        self.held = b""

    def belonging(self, waiting: bytes) -> int:
        """Return how many of the bytes *waiting* to be fed are surely the header's.

        All of them, unless the header ends within; never 0 before it is complete.
        """
        seen = self.held + waiting
        return max(0, min(_known_end(seen), len(seen)) - len(self.held))

    def feed(self, data: bytes) -> Header | None:
        """Take the header's next bytes; return the header once it is complete.

        :raises BadHeader: as soon as it is known to be none; drop the framer then.
        :raises ValueError: when *data* has more bytes than :meth:`belonging` said.
        """
        if len(data) > self.belonging(data):
            raise ValueError("these bytes are not all the header's")
        self.held += data
        held = self.held
        if not may_begin(held):
            raise BadHeader("this is something else")
        if held.startswith(b"P"):
            return _line(held)
        return _block(held)


def _known_end(seen: bytes) -> int:
    """Return where the header ends at the earliest, or at the latest for an open line."""
    if seen.startswith(b"P"):
        end = seen.find(b"\r\n", 0, MAX_LINE)
        return MAX_LINE if end < 0 else end + 2
    if len(seen) < _FIXED:
        return _FIXED
    length = _length(seen)
    return _FIXED + (length if length <= MAX_BLOCK else 0)


# ── version 1: a line of text ───────────────────────────────────────────────────────────


def _line(held: bytes) -> Header | None:
    if not held.endswith(b"\r\n"):
        if len(held) == MAX_LINE:
            raise BadHeader(f"no end of line within {MAX_LINE} bytes")
        return None
    family, *words = held[len(_LINE_START) : -2].split(b" ")
    if family == b"UNKNOWN":
        return Header(1)  # whatever else stands there is to be ignored
    if family not in (b"TCP4", b"TCP6"):
        raise BadHeader("neither TCP4 nor TCP6 nor UNKNOWN")
    if len(words) != 4:
        raise BadHeader("not two addresses and two ports, with one space before each")
    source, destination, source_port, destination_port = words
    parse = IPv4Address if family == b"TCP4" else IPv6Address
    return Header(
        1,
        (_host(source, parse), _port(source_port)),
        (_host(destination, parse), _port(destination_port)),
    )


def _host(word: bytes, parse: Callable[[str], IPv4Address | IPv6Address]) -> str:
    try:
        text = word.decode("ascii")
        if "%" in text:
            raise ValueError("a scope means nothing on another host")
        return _host_text(parse(text))
    except ValueError:
        raise BadHeader("not an address of the family it names") from None


def _port(word: bytes) -> int:
    # int() takes signs, underscores and leading zeros too, and any number of digits.
    if not word.isdigit() or len(word) > 5 or (word[0] == ord("0") and len(word) > 1):
        raise BadHeader("not a port")
    port = int(word)
    if port > 0xFFFF:
        raise BadHeader("not a port")
    return port


def _host_text(address: IPv4Address | IPv6Address) -> str:
    """Return the address as text; an IPv4 address in the guise of IPv6 as IPv4."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


# ── version 2: a binary block ───────────────────────────────────────────────────────────


def _length(held: bytes) -> int:
    return int.from_bytes(held[14:_FIXED], "big")


def _block(held: bytes) -> Header | None:
    if len(held) < _FIXED:
        return None
    version, command = held[12] >> 4, held[12] & 15
    if version != 2:
        raise BadHeader(f"binary, but of version {version}")
    if command not in (_LOCAL, _PROXY):
        raise BadHeader(f"unknown command {command}")
    if _length(held) > MAX_BLOCK:
        raise BadHeader(f"more than {MAX_BLOCK} bytes")
    if len(held) < _FIXED + _length(held):
        return None
    # After LOCAL everything else is to be skipped, family included: a proxy's health check.
    return Header(2) if command == _LOCAL else _forwarded(held)


def _forwarded(held: bytes) -> Header:
    family, transport = held[13] >> 4, held[13] & 15
    if family > _UNIX or transport > _DATAGRAM:
        raise BadHeader(f"unknown family {family} or transport {transport}")
    if family == 0:
        return Header(2)
    size = _ADDRESS_BYTES[family]
    addresses = held[_FIXED : _FIXED + size]
    if len(addresses) < size:
        raise BadHeader("shorter than its addresses")
    _check_extensions(held, _FIXED + size)
    if family == _UNIX or transport != _STREAM:
        return Header(2)
    return _with_addresses(addresses, 4 if family == _INET else 16)


def _with_addresses(addresses: bytes, size: int) -> Header:
    parse = IPv4Address if size == 4 else IPv6Address
    source = _host_text(parse(addresses[:size]))
    destination = _host_text(parse(addresses[size : 2 * size]))
    ports = addresses[2 * size :]
    return Header(
        2,
        (source, int.from_bytes(ports[:2], "big")),
        (destination, int.from_bytes(ports[2:], "big")),
    )


def _check_extensions(held: bytes, at: int) -> None:
    """Step over the extensions (type, length, value), and verify a checksum among them."""
    while at < len(held):
        value_at = at + 3
        end = value_at + int.from_bytes(held[at + 1 : value_at], "big")
        if value_at > len(held) or end > len(held):
            raise BadHeader("an extension reaches beyond the end")
        if held[at] == _CRC32C:
            _check_sum(held, value_at, end)
        at = end


def _check_sum(held: bytes, start: int, end: int) -> None:
    said = held[start:end]
    blank = held[:start] + bytes(len(said)) + held[end:]
    if len(said) != 4 or crc32c(blank) != int.from_bytes(said, "big"):
        raise BadHeader("wrong checksum")


@cache
def _crc32c_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


def crc32c(data: bytes) -> int:
    """Return the CRC32c (Castagnoli) of *data*; the standard library has only another."""
    table = _crc32c_table()
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
