"""The line frontend of the chat: for ``nc``, ``telnet`` and whoever can send text.

The wire, in both directions: lines of UTF-8, ended by LF or CRLF (we send LF).

* on connect, server → client: the banner's line, if there is a banner;
* client → server: a line, which may be empty, of at most *max_line* bytes;
* server → client: ``-> `` and the line, for each line of each *other* client.  Control
  characters are shown in visible notation, so that nobody commands another's terminal;
* a longer line: the client is told the limit in one last line, and closed;
* what a client leaves without an end of line is dropped.

This module must not know how members at other frontends are connected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure

from socketsuite.services.chat.room import Room
from socketsuite.services.stream import LingeringClose, greeting
from socketsuite.settings import setting
from socketsuite.wire.lines import LineFramer, LineTooLong
from socketsuite.wire.printable import printable


def render(lines: Sequence[bytes]) -> bytes:
    """Return *lines* as another member's line client shows them."""
    return b"".join([b"-> %b\n" % printable(line) for line in lines])


class LineChat(LingeringClose):
    """One member who came in by the line frontend."""

    factory: LineChatFactory

    def __init__(self, factory: LineChatFactory) -> None:
        super().__init__(factory.reactor)
        self.factory = factory
        self._framer = LineFramer(factory.max_line)

    def connectionMade(self) -> None:
        """Greet, and join the room."""
        if self.factory.banner:
            self.transport.write(greeting(self.factory.banner, self.transport.getHost()))
        self.factory.room.join(self, render, self.transport.write)

    def dataReceived(self, data: bytes) -> None:
        """Say the lines that are complete."""
        if self.closing:
            return
        try:
            lines = self._framer.feed(data)
        except LineTooLong as error:
            if error.lines:
                self.factory.room.say(self, error.lines)
            self.factory.room.leave(self)
            self.close_with(b"line too long: the limit is %d bytes\n" % error.limit)
        else:
            if lines:
                self.factory.room.say(self, lines)

    def drain(self) -> None:
        """Leave the room, flush, close."""
        self.factory.room.leave(self)
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Leave the room."""
        self.factory.room.leave(self)
        super().connectionLost(reason)


@dataclass(eq=False)
class LineChatFactory(ServerFactory):
    """Makes members, and holds the room they are in.

    :param reactor: the clock for closing politely.
    """

    reactor: IReactorTime
    banner: str = setting("", "a line every caller is greeted with; {port} is the port")
    max_line: int = setting(8192, "longest line, in bytes", minimum=16, metavar="BYTES")

    def __post_init__(self) -> None:
        self.room = Room()

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return a member for one caller."""
        return LineChat(self)
