"""The board by line, for ``nc``: each line sent is pinned, an empty one reads the board.

Wire: UTF-8 lines ending in LF.  A notice is answered by ``pinned TEXT``, an empty line by the
notices, ``7 TEXT``, and an empty line.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from twisted.protocols.basic import LineOnlyReceiver

from noticeboard.board import Board


class BoardLines(LineOnlyReceiver):
    """One caller."""

    delimiter = b"\n"

    def __init__(self, board: Board) -> None:
        self.board = board
        self.MAX_LENGTH = board.longest

    def lineReceived(self, line: bytes) -> None:
        """Pin a notice, or read the board."""
        text = line.decode("utf-8", "replace").strip()
        if text:
            self.board.pin(text)
            self.sendLine(f"pinned {text}".encode())
            return
        for number, notice in self.board.notices:
            self.sendLine(f"{number} {notice}".encode())
        self.sendLine(b"")


class LinesFactory(ServerFactory):
    """The frontend ``lines``."""

    def __init__(self, board: Board) -> None:
        self.board = board

    def buildProtocol(self, addr: IAddress | None) -> BoardLines:
        """Return the protocol for one caller."""
        return BoardLines(self.board)
