"""What a person's client knows of the chat: nicks, rooms, and what TAB can complete.

This module must not know how anything is shown or sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from socketsuite.cli.chat_lines import ChatLine

COMMANDS = (
    "/help",
    "/history",
    "/join",
    "/leave",
    "/login",
    "/me",
    "/msg",
    "/nick",
    "/quit",
    "/rooms",
    "/topic",
    "/who",
)
_OF_ROOMS = {"/join", "/leave", "/topic", "/history"}
# How many nicks and rooms are kept for TAB, and how long one may be.
_MOST = 500
_LONGEST = 64


class Talk:
    """One person's view of the chat, over however many connections.

    :ivar nick: our own, once we have said it.
    :ivar room: where what we type is said; ``None`` is the server's lobby.
    """

    def __init__(self) -> None:
        self.nick: str | None = None
        self.room: str | None = None
        self._login: str | None = None
        self._joined: dict[str, None] = {}
        self._nicks: dict[str, None] = {}  # the latest last

    def typed(self, line: str) -> None:
        """Note what it changes that *line* is said."""
        command, _, rest = line.strip().partition(" ")
        word = rest.split(maxsplit=1)[0] if rest.strip() else ""
        match command.lower():
            case "/nick" if word:
                self.nick = word
            case "/login" if word:
                self._login = line.strip()
            case "/join" if word:
                self.room = word.removeprefix("#")
                self._joined.pop(self.room, None)
                self._joined[self.room] = None
                _forget_oldest(self._joined)
            case "/leave":
                self._joined.pop(word.removeprefix("#") or self.room or "", None)
                self.room = next(reversed(self._joined), None)

    def heard(self, line: ChatLine) -> None:
        """Note who is there."""
        if line.nick is not None:
            self.saw([line.nick])

    def saw(self, nicks: Iterable[str]) -> None:
        """Note *nicks*."""
        for nick in nicks:
            if len(nick) <= _LONGEST:
                self._nicks.pop(nick, None)
                self._nicks[nick] = None
        _forget_oldest(self._nicks)

    def again(self) -> list[str]:
        """Return what is to be said on a new connection, to be who and where we were."""
        lines = [self._login] if self._login is not None else []
        if self.nick is not None:
            lines.append(f"/nick {self.nick}")
        rooms = [room for room in self._joined if room != self.room]
        return lines + [f"/join {room}" for room in [*rooms, self.room] if room]

    def is_for_us(self, line: ChatLine) -> bool:
        """Return whether *line* is said to us alone, or has our nick as a word."""
        if line.kind == "private":
            return True
        if self.nick is None or line.kind not in ("message", "emote"):
            return False
        word = rf"(?<!\w){re.escape(self.nick)}(?!\w)"
        return re.search(word, line.text, re.IGNORECASE) is not None

    def completions(self, before: str) -> tuple[str, list[str]]:
        """Return the word that *before* (what stands left of the cursor) ends with, and what
        it may become, with what is to follow it; the latest nick first."""
        head, _, word = before.rpartition(" ")
        command = before.split(" ", 1)[0].lower()
        if not head and before.startswith("/"):
            return word, [f"{name} " for name in COMMANDS if name.startswith(word.lower())]
        if command in _OF_ROOMS:
            mark = "#" if word.startswith("#") else ""
            known = [f"{mark}{room}" for room in self._joined]
            return word, [f"{room} " for room in known if room.startswith(word)]
        after = ": " if before == word else " "
        like = [n for n in reversed(self._nicks) if n.casefold().startswith(word.casefold())]
        return word, [f"{nick}{after}" for nick in like if nick != self.nick]


def is_secret(line: str) -> bool:
    """Return whether *line* holds a password, or the beginning of one."""
    return re.match(r"\s*/login\s+\S+\s+\S", line) is not None


def _forget_oldest(known: dict[str, None]) -> None:
    while len(known) > _MOST:
        del known[next(iter(known))]
