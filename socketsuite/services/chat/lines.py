"""The line frontend of the chat: for ``nc``, ``telnet`` and whoever can send text.

The wire, in both directions: lines of UTF-8, ended by LF or CRLF (we send LF).

* on connect, server → client: the banner's line, if there is a banner;
* client → server: a line, which may be empty, of at most *max_line* bytes;
* server → client: ``-> `` and the line, for each line of each *other* person in the lobby.  Control
  characters are shown in visible notation, so that nobody commands another's terminal;
* a longer line: the client is told the limit in one last line, and closed;
* what a client leaves without an end of line is dropped.

This module must not know how people at other frontends are connected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure

from socketsuite.services.chat.chat import Chat
from socketsuite.services.chat.events import Event, Message, Said
from socketsuite.services.chat.person import Person
from socketsuite.services.stream import LingeringClose, greeting
from socketsuite.settings import setting
from socketsuite.wire.lines import LineFramer, LineTooLong
from socketsuite.wire.printable import printable


def render_plain(event: Event) -> bytes:
    """Return what somebody sees who has said no command: lines, and nothing else."""
    if not isinstance(event, Said) or event.recipient is not None:
        return b""
    return b"".join([_line(message) for message in event.messages])


def _line(message: Message) -> bytes:
    text = printable(message.text)
    if message.kind == "emote":
        return b"-> * %b %b\n" % (message.nick.encode(), text)
    if message.named:
        return b"-> <%b> %b\n" % (message.nick.encode(), text)
    return b"-> %b\n" % text


class LineChat(LingeringClose):
    """One person who came in by the line frontend."""

    factory: LineChatFactory
    person: Person | None = None

    def __init__(self, factory: LineChatFactory) -> None:
        super().__init__(factory.reactor)
        self.factory = factory
        self._framer = LineFramer(factory.max_line)

    def connectionMade(self) -> None:
        """Greet, and join the lobby."""
        if self.factory.banner:
            self.transport.write(greeting(self.factory.banner, self.transport.getHost()))
        hub = self.factory.chat.hub
        self.person = hub.enter(
            frontend="lines",
            host=getattr(self.transport.getPeer(), "host", None) or "local",
            render=render_plain,
            write=self.transport.write,
            close=lambda reason: self.transport.loseConnection(),
        )
        hub.join(self.person, hub.lobby.name)

    def dataReceived(self, data: bytes) -> None:
        """Say the lines that are complete."""
        person = self.person
        if self.closing or person is None:
            return
        hub = self.factory.chat.hub
        try:
            lines = self._framer.feed(data)
        except LineTooLong as error:
            if error.lines:
                hub.say_in(hub.lobby, person, error.lines)
            self._quit("line too long")
            self.close_with(b"line too long: the limit is %d bytes\n" % error.limit)
        else:
            if lines:
                hub.say_in(hub.lobby, person, lines)

    def drain(self) -> None:
        """Leave, flush, close."""
        self._quit("the server stops")
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Leave."""
        self._quit("closed")
        super().connectionLost(reason)

    def _quit(self, reason: str) -> None:
        if self.person is not None:
            self.factory.chat.hub.quit(self.person, reason)


@dataclass(eq=False)
class LineChatFactory(ServerFactory):
    """The frontend ``lines``: makes a protocol for each caller.

    :param chat: whose hub everybody is in.
    """

    chat: Chat
    reactor: Any
    banner: str = setting("", "a line every caller is greeted with; {port} is the port")
    max_line: int = setting(8192, "longest line, in bytes", minimum=16, metavar="BYTES")

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return a protocol for one caller."""
        return LineChat(self)
