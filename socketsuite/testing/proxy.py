"""PROXY protocol headers as a proxy sends them (HAProxy's proxy-protocol.txt, 2.1 and 2.2).

Pure; the addresses are of the networks set aside for documents (RFC 5737).
"""

from __future__ import annotations

import struct

CLIENT = "192.0.2.7:5000"
"""The caller that the headers tell of."""

SERVER = "198.51.100.1:443"
"""The address that it is said to have called."""

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_ADDRESSES = bytes([192, 0, 2, 7, 198, 51, 100, 1]) + struct.pack(">HH", 5000, 443)


def header(version: int) -> bytes:
    """Return the header of *version* 1 or 2 for TCP over IPv4."""
    if version == 1:
        return b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\n"
    return _SIGNATURE + b"\x21\x11" + struct.pack(">H", len(_ADDRESSES)) + _ADDRESSES
