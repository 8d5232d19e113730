"""What a person's client knows of the chat: who we are, where, and what TAB can complete.

It is learnt from the server's answers, so a nick that was refused is not taken for ours.  This
module must not know how anything is shown or sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from socketsuite.cli.chat_lines import ChatLine

# fmt: off
_COMMANDS = (
    "away", "ban", "bans", "deop", "help", "history", "invite", "invite-only", "join", "key",
    "kick", "leave", "limit", "lock", "login", "me", "moderated", "msg", "mute", "nick", "op",
    "quit", "register", "rename", "room", "rooms", "topic", "unban", "unlock", "unmute", "unvoice",
    "voice", "who",
)
# fmt: on
_OF_ROOMS = ("/join", "/leave", "/room", "/who")
# How many nicks and rooms are kept for TAB, and how long one may be.
_MOST = 500
_LONGEST = 64
_SECRET = re.compile(r"\s*/(?:login\s+\S+|register)\s+\S")


class Talk:
    """One person's view of the chat, over however many connections.

    :ivar nick: our own, where we know it.
    :ivar room: where what we type is said; ``None`` is the server's lobby, empty is nowhere.
    :ivar asks_password: whether the next line that is typed is a password.
    :ivar lost_nick: the nick to ask for again, which an earlier connection of ours may still have.
    """

    def __init__(self) -> None:
        self.nick: str | None = None
        self.room: str | None = None
        self.asks_password = False
        self.lost_nick: str | None = None
        self._chosen: str | None = None  # the nick to have again on a new connection
        self._login: str | None = None  # the command, once it has worked
        self._inside: dict[str, str] = {}  # rooms that we joined, and their keys; the latest last
        self._nicks: dict[str, None] = {}  # the latest last
        self._rooms: dict[str, None] = {}
        self._begin()

    def _begin(self) -> None:
        """Forget what was asked of the server and is not answered."""
        self.asks_password = False
        self._asked_nick = self._asked_login = self._account = ""
        self._asked_room = ("", "")
        self._asked_to_leave: str | None = None

    # ── what is typed ───────────────────────────────────────────────────────────────

    def typed(self, line: str) -> None:
        """Note what *line* asks of the server."""
        if self.asks_password:
            self.asks_password = False
            self._asked_login = f"/login {self._account} {line}"
            return
        command, *words = line.split()
        match command.lower(), *words:
            case ["/nick", nick]:
                self._asked_nick = nick
                if not _same(nick, self.lost_nick):
                    self.lost_nick = None
            case ["/login", _, _, *_]:
                self._asked_login = line.strip()
            case ["/register", _, *_]:
                self._asked_login = f"/login {self.nick} {line.split(None, 1)[1]}"
            case ["/join", room, *key]:
                self._asked_room = (_name(room), " ".join(key))
            case ["/leave", *room]:
                self._asked_to_leave = _name(room[0]) if room else self.room or ""

    def is_secret(self, line: str) -> bool:
        """Return whether *line* is a password, holds one, or the beginning of one."""
        return self.asks_password or _SECRET.match(line) is not None

    def again(self) -> list[str]:
        """Return what is to be said on a new connection, to be who and where we were."""
        self._begin()
        lines = [self._login] if self._login is not None else []
        if self._chosen is not None:
            lines.append(f"/nick {self._chosen}")
        self.lost_nick = self._chosen
        last = [self.room] if self.room in self._inside else []
        rooms = [room for room in self._inside if room != self.room] + last
        self.nick = self.room = None
        return lines + [f"/join {room} {self._inside[room]}".rstrip() for room in rooms]

    # ── what comes ──────────────────────────────────────────────────────────────────

    def heard(self, line: ChatLine) -> None:
        """Note who is there, and what the server answers."""
        if line.nick is not None:
            self._saw(line.nick)
        if line.room is not None:
            _keep(self._rooms, line.room)
        if line.kind != "server":
            return
        for pattern, note in _NOTES:
            told = pattern.fullmatch(line.text)
            if told is not None:
                note(self, *told.groups())
                return

    def is_for_us(self, line: ChatLine) -> bool:
        """Return whether *line*, if it is new, is said to us alone or has our nick as a word."""
        if line.kind == "private":
            return True
        if self.nick is None or line.said is not None or line.kind in ("server", "text"):
            return False
        word = rf"(?<!\w){re.escape(self.nick)}(?!\w)"
        return re.search(word, line.text, re.IGNORECASE) is not None

    def _saw(self, *nicks: str) -> None:
        for nick in nicks:
            _keep(self._nicks, nick)

    def _renamed(self, before: str, nick: str) -> None:
        self._nicks.pop(before, None)
        self._saw(nick)
        if _same(nick, self._asked_nick):
            self._are(nick)
            self._asked_nick = ""
        elif _same(before, self.nick):
            self.nick = nick

    def _are(self, nick: str) -> None:
        if _same(nick, self._asked_nick):  # not "away", nor "back"
            self.nick = self._chosen = nick
            self.lost_nick = None

    def _nick_refused(self, nick: str, why: str) -> None:
        if _same(nick, self.lost_nick) and why != "somebody has that nick":
            self.lost_nick = None

    def _joined(self, nick: str, room: str) -> None:
        self._saw(nick)
        asked, key = self._asked_room
        if _same(room, asked):
            self._asked_room = ("", "")
            self.nick = nick
            self._inside[room] = key
        if _same(nick, self.nick):
            self._speaks(room)

    def _speaks(self, room: str) -> None:
        self._inside[room] = self._inside.pop(room, "")
        self.room = room
        _keep(self._rooms, room)

    def _left(self, nick: str, room: str) -> None:
        asked = self._asked_to_leave
        if _same(room, asked) or (asked == "" and self.room is None):
            self._asked_to_leave = None
            self._out_of(room)
        elif _same(nick, self.nick):
            self._out_of(room)

    def _room_renamed(self, before: str, room: str) -> None:
        if before in self._inside:
            # Where it was among them: the last is the one we speak in.
            self._inside = {
                room if one == before else one: key for one, key in self._inside.items()
            }
        self._rooms.pop(before, None)
        _keep(self._rooms, room)
        if _same(before, self.room):
            self.room = room

    def _kicked(self, nick: str, room: str) -> None:
        if _same(nick, self.nick):
            self._out_of(room)

    def _out_of(self, room: str) -> None:
        self._inside.pop(room, None)
        if self.room is None or _same(room, self.room):
            self.room = ""

    def _gone(self, nick: str) -> None:
        self._nicks.pop(nick, None)

    def _asked_password(self, account: str) -> None:
        self.asks_password = True
        self._account = account

    def _logged_in(self, account: str) -> None:
        self._asked_nick = account  # it may be ours from now on
        self._login = self._asked_login or None

    def _who(self, people: str) -> None:
        self._saw(*[one.lstrip("@+") for one in people.split()])

    def _room_is(self, room: str) -> None:
        _keep(self._rooms, room)

    # ── what TAB does ───────────────────────────────────────────────────────────────

    def completions(self, before: str) -> tuple[str, list[str]]:
        """Return the word that *before* (what stands left of the cursor) ends with, and all
        that it may become: nicks, the latest first; at the beginning of a command commands."""
        word = before.rpartition(" ")[2]
        if word == before and word.startswith("/"):
            known = [f"/{command}" for command in _COMMANDS]
        elif before.split(" ")[0].lower() in _OF_ROOMS:
            mark = "#" if word.startswith("#") else ""
            known = [f"{mark}{room}" for room in reversed(self._rooms)]
        else:
            known = [nick for nick in reversed(self._nicks) if nick != self.nick]
        end = ": " if word == before and not word.startswith("/") else " "
        return word, [f"{one}{end}" for one in known if one.casefold().startswith(word.casefold())]


def _name(room: str) -> str:
    return room.removeprefix("#")


def _same(one: str, other: str | None) -> bool:
    return other is not None and one.casefold() == other.casefold()


def _keep(known: dict[str, None], name: str) -> None:
    """Have *name* be the latest that is *known*."""
    if len(name) <= _LONGEST:
        known.pop(name, None)
        known[name] = None
        if len(known) > _MOST:
            del known[next(iter(known))]


# What the server says, and what is learnt by it.
_NOTES: list[tuple[re.Pattern[str], Callable[..., None]]] = [
    (re.compile(pattern), note)
    for pattern, note in (
        (r"you are (\S+)", Talk._are),
        (r"you are logged in as (\S+)", Talk._logged_in),
        (r"password of (\S+)\?", Talk._asked_password),
        (r"you speak in #(\S+)", Talk._speaks),
        (r"(\S+) is now (\S+)", Talk._renamed),
        (r"\S+ renamed #(\S+): it is #(\S+?)(?:: .*)?", Talk._room_renamed),
        (r"(\S+) joined #(\S+)", Talk._joined),
        (r"(\S+): (.+)", Talk._nick_refused),
        (r"(\S+) left #(\S+?)(?:: .*)?", Talk._left),
        (r"(\S+) was kicked from #(\S+) by .*", Talk._kicked),
        (r"(\S+) has gone(?:: .*)?", Talk._gone),
        (r"#\S+ has \d+ (?:person|people): (.*?)(?: and \d+ more)?", Talk._who),
        (r"[@+]?(\S+) is \S+!\S+@\S+(?:, .*)?", Talk._saw),
        (r"#(\S+?)\*? \d+ (?:person|people)(?:: .*)?", Talk._room_is),
    )
]
