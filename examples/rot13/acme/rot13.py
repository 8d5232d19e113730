"""ROT13, line by line: an ordinary Twisted protocol.

Nothing here knows of ports, TLS, limits, logs or signals; the daemon around it does.

Wire: a line of bytes ending in LF comes back with its ASCII letters rotated.
"""

from __future__ import annotations

import string
from dataclasses import dataclass

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from twisted.protocols.basic import LineOnlyReceiver

from socketsuite.settings import setting


def rotation(letters: int) -> bytes:
    """Return the table for ``bytes.translate`` that rotates ASCII by *letters*, 0–25."""
    lower, upper = string.ascii_lowercase, string.ascii_uppercase
    turned = lower[letters:] + lower[:letters] + upper[letters:] + upper[:letters]
    return bytes.maketrans((lower + upper).encode(), turned.encode())


class Rot13Protocol(LineOnlyReceiver):
    """Answers each line with its rotation."""

    delimiter = b"\n"

    def __init__(self, table: bytes) -> None:
        self.table = table

    def lineReceived(self, line: bytes) -> None:
        """Send the rotated line back."""
        self.sendLine(line.translate(self.table))


@dataclass(eq=False)
class Rot13Factory(ServerFactory):
    """Makes a protocol for each caller; its one setting becomes ``--rotate``."""

    rotate: int = setting(13, "letters to rotate by", minimum=0, maximum=25)

    def buildProtocol(self, addr: IAddress | None) -> Rot13Protocol:
        """Return the protocol for one caller."""
        return Rot13Protocol(rotation(self.rotate))
