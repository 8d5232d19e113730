"""One person in the chat: who that is, and how it hears of things.

This module must not know rooms, nor any wire.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from socketsuite.services.chat.events import Event, PersonFacts
from socketsuite.services.chat.nicks import key_of

Render = Callable[[Event], Any]
"""Turns an event into what its frontend writes, mostly bytes; empty where that does not show it."""

Write = Callable[[Any], object]
"""Takes such a thing to one person."""

Close = Callable[[str], object]
"""Ends one person's connection, for a reason that is said."""

_NO_MODES: frozenset[str] = frozenset()


class Person:
    """Somebody who is connected.

    :param render: the same object for all who see events alike: what one room says is rendered
        once for each.
    :param write: takes the bytes; told of nothing else.
    :param close: ends the connection.
    :ivar mask: ``nick!user@host``.
    :ivar named: whether the nick was chosen.
    :ivar rooms: the keys of the rooms the person is in.
    :ivar hears_private: whether the person sees private messages; others say so to who sends one.
    :ivar away: the words for it; ``None`` is here.
    :ivar operator: whether the person is an operator of the server, and *operator_account* by
        which account, where it is by one.
    :ivar spoke_at: when the person last said something, in seconds since 1970.
    """

    __slots__ = (
        "__weakref__",
        "account",
        "away",
        "close",
        "frontend",
        "hears_private",
        "host",
        "key",
        "mask",
        "modes",
        "named",
        "nick",
        "operator",
        "operator_account",
        "realname",
        "render",
        "rooms",
        "secure",
        "since",
        "spoke_at",
        "user",
        "write",
    )

    def __init__(
        self,
        nick: str,
        *,
        frontend: str,
        host: str,
        render: Render,
        write: Write,
        close: Close,
        now: float,
        user: str | None = None,
        secure: bool = False,
    ) -> None:
        self.frontend = frontend
        self.user = user or frontend
        self.host = host
        self.take_nick(nick, chosen=False)
        self.realname = ""
        self.account: str | None = None
        self.hears_private = True
        self.away: str | None = None
        self.operator = False
        self.operator_account: str | None = None
        self.secure = secure
        self.modes = _NO_MODES
        self.rooms: dict[str, None] = {}
        self.render = render
        self.write = write
        self.close = close
        self.since = now
        self.spoke_at = now

    def take_nick(self, nick: str, chosen: bool = True) -> None:
        """Be called *nick* from now on."""
        self.nick, self.named = nick, chosen
        self.key = key_of(nick)
        self.mask = f"{nick}!{self.user}@{self.host}"

    @property
    def facts(self) -> PersonFacts:
        """Who this is now."""
        return PersonFacts(self.nick, self.user, self.host, self.account, self.realname, self.named)
