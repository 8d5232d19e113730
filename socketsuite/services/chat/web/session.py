"""Who came in by the web frontend: its place in the hub, and what its client is told.

WebSocket and Socket.IO have one such session for each person.  This module must not know how
objects are carried, nor any one request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from socketsuite import __version__
from socketsuite.services.chat.chat import Chat
from socketsuite.services.chat.person import Close, Person, Render, Write
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.rights import empower
from socketsuite.services.chat.room import Room

VERSION = 1
"""Of the protocol; a client says which it speaks."""

MOST_GUESSES = 3
"""Wrong passwords of the server after which a client is closed; by IRC it is one."""

LONGEST_TEXT = 4096
"""Bytes of UTF-8 of one message."""

LONGEST_WORDS = 390
"""Bytes of a topic, a reason, or what is said of being away: what fits in a line of IRC."""


@dataclass(frozen=True)
class Carrier:
    """What carries objects to one client, and what the hub writes by.

    :ivar host: the client's address, ``local`` for a Unix socket.
    :ivar render: renders events once for all clients of this kind.
    :ivar write: takes what *render* returns.
    :ivar close: ends the connection, for a reason that the client is told.
    """

    host: str
    secure: bool
    render: Render
    write: Write
    close: Close


class Session:
    """One person, from its connection to its end.

    :ivar person: who it is in the hub; ``None`` before ``hello``.
    :ivar guesses: how often a wrong password of the server was said.
    """

    person: Person | None = None

    def __init__(self, chat: Chat, carrier: Carrier) -> None:
        self.chat = chat
        self.hub = chat.hub
        self.carrier = carrier
        self.ended = False
        self.guesses = 0

    @property
    def me(self) -> Person:
        """The person; only who has said hello is one."""
        assert self.person is not None
        return self.person

    @property
    def host(self) -> str:
        """The client's address, as the hub has it: no word of IRC begins with a colon."""
        host = self.carrier.host
        return f"0{host}" if host.startswith(":") else host

    def enter(self, nick: str | None, account: str | None) -> None:
        """Be in the hub, in no room yet.

        :raises Refused: when the nick is not one, or somebody else's.
        """
        carrier = self.carrier
        person = self.hub.enter(
            frontend="web",
            host=self.host,
            render=carrier.render,
            write=carrier.write,
            close=carrier.close,
            secure=carrier.secure,
            nick=nick,
            account=account,
        )
        self.person = person
        if account is not None:
            empower(person, self.chat.logins, account)

    def welcome(self) -> dict[str, Any]:
        """Return what a client is told that has come in."""
        chat, hub = self.chat, self.hub
        return {
            "version": VERSION,
            "server": chat.server_name,
            "network": chat.network_name,
            "software": f"socketsuite-{__version__}",
            "nick": self.me.nick,
            "account": self.me.account,
            "operator": self.me.operator,
            "lobby": hub.lobby.name,
            "accounts": bool(chat.logins.book.accounts),
            "register": chat.can_register,
            "longest_text": LONGEST_TEXT,
        }

    def logged_in(self, account: str) -> None:
        """Be *account*'s from now on."""
        self.hub.set_account(self.me, account)
        empower(self.me, self.chat.logins, account)

    def quit(self, reason: str) -> None:
        """Be gone; the others are told why, once."""
        self.ended = True
        if self.person is not None:
            self.hub.quit(self.person, reason)

    def room(self, name: str) -> Room:
        """Return the room of that name, as far as this person may know of it.

        :raises Refused: when there is none, or a secret one.
        """
        room = self.hub.room(name)
        if not self.knows(room):
            raise Refused("no_such_room", name, "there is no such room")
        return room

    def knows(self, room: Room) -> bool:
        """Whether the person may see that there is *room*, and who is in it."""
        inside = room.key in self.me.rooms or self.me.operator
        return "s" not in room.flags or inside


def is_secure(connection: Any) -> bool:
    """Whether what carries *connection* is TLS."""
    return hasattr(connection.transport, "getPeerCertificate")
