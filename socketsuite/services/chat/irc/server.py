"""What all clients of the IRC frontend share: names, times, who is connected, who watches whom.

This module must not know the commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from socketsuite.services.chat.chat import Chat
from socketsuite.services.chat.events import RoomRenamed
from socketsuite.services.chat.hub import MOST_ROOMS_EACH, Hub
from socketsuite.services.chat.irc.markers import Markers
from socketsuite.services.chat.irc.open_batch import MOST_LINES
from socketsuite.services.chat.irc.render import Renderers
from socketsuite.services.chat.nicks import key_of
from socketsuite.services.chat.person import Person
from socketsuite.services.chat.room import FLAGS, LISTS, MOST_MASKS, OPERATOR, VOICE, Room
from socketsuite.wire.irc import ModeKinds
from socketsuite.wire.names import LONGEST_NICK, LONGEST_ROOM

MOST_TARGETS = 4
"""Targets of one PRIVMSG, NOTICE or TAGMSG."""
MOST_MONITORED = 100
MOST_MODES = 20
MOST_HISTORY = 100
"""Messages of one CHATHISTORY."""
LONGEST_TOPIC = LONGEST_REASON = 300
LONGEST_REALNAME = 120
LONGEST_USER = 10
LONGEST_KEY = 64

PREFIXES = {OPERATOR: "@", VOICE: "+"}
"""The statuses in a room, the highest first, and how they are shown before a nick."""

SHOWN_LISTS = "".join(letter for letter in "beIq" if letter in LISTS)
KINDS = ModeKinds(
    lists=SHOWN_LISTS, always="k" + "".join(PREFIXES), when_set="l", never="".join(sorted(FLAGS))
)
USER_MODES = {
    "B": "a bot",
    "i": "invisible but to who is in a room with one",
    "o": "operator of the server",
    "w": "hears WALLOPS",
}


class Watcher(Protocol):
    """A client, as far as it is told of others' coming and going."""

    person: Person | None

    def monitored(self, person: Person, here: bool) -> None:
        """Tell that *person* came or went."""
        ...


@dataclass(frozen=True)
class Offer:
    """What of the capabilities can change while the daemon runs.

    :ivar mechanisms: of SASL; *register* whether accounts can be made; *lines* of one message.
    """

    mechanisms: tuple[str, ...]
    register: bool
    lines: int


@dataclass(eq=False)
class Server:
    """The server as IRC shows it.

    :ivar clients: who is connected, registered or not.
    :ivar watchers: of nicks, by the nicks' keys.
    :ivar unregistered: how many clients are connected that have not registered.
    """

    chat: Chat
    version: str
    started: float
    dcc: bool = False
    sts_port: int = 0
    sts_duration: float = 0.0
    reload: Callable[[], object] = lambda: None
    clients: dict[Any, None] = field(default_factory=dict)
    watchers: dict[str, dict[Watcher, None]] = field(default_factory=dict)
    unregistered: int = 0
    most_people: int = 0
    markers: Markers = field(default_factory=Markers)
    motd: Callable[[], list[str]] = list

    def __post_init__(self) -> None:
        self.name = self.chat.server_name
        self.network = self.chat.network_name
        self._counts, self._counted_at = (0, 0), 0.0
        self.renderers = Renderers(self.name, self.hub.now, self.dcc)
        self.hub.presence.append(self._presence)
        self.hub.followers = self._followers
        self.hub.moves.append(self._moved)

    def counts(self, *, lately: bool = False) -> tuple[int, int]:
        """Return how many people are invisible, and how many operators of the server.

        :param lately: as they were within the last second will do: to look at everybody for
            each who comes would cost as much as there are people.
        """
        now = self.hub.now()
        if not lately or not 0 <= now - self._counted_at < 1:
            people = self.hub.people.values()
            invisible = sum("i" in one.modes for one in people)
            self._counts = invisible, sum(one.operator for one in people)
            self._counted_at = now
        return self._counts

    @property
    def hub(self) -> Hub:
        """Everybody and every room."""
        return self.chat.hub

    @property
    def most_lines(self) -> int:
        """Lines that a message of several has at most: so many that no flood limit tears it."""
        flood = self.chat.flood
        return min(MOST_LINES, flood.burst) if flood.rate else MOST_LINES

    def offer(self) -> Offer:
        """Return what can be had now."""
        chat = self.chat
        return Offer(tuple(chat.sasl_mechanisms()), chat.can_register, self.most_lines)

    def sts(self, secure: bool) -> str:
        """Return the value of ``sts``: where TLS is, or for how long nothing else is to be used."""
        if not self.sts_port:
            return ""
        return f"duration={int(self.sts_duration)}" if secure else f"port={self.sts_port}"

    # ── who watches whom ────────────────────────────────────────────────────────────

    def watch(self, watcher: Watcher, nick: str) -> None:
        """Have *watcher* told of who has that nick."""
        self.watchers.setdefault(key_of(nick), {})[watcher] = None

    def watch_no_more(self, watcher: Watcher, nick: str) -> None:
        """Have *watcher* told no more."""
        watchers = self.watchers.get(key_of(nick), {})
        watchers.pop(watcher, None)
        if not watchers:
            self.watchers.pop(key_of(nick), None)

    def _presence(self, person: Person, here: bool) -> None:
        self.most_people = max(self.most_people, len(self.hub.people))
        for watcher in tuple(self.watchers.get(person.key, ())):
            watcher.monitored(person, here)

    def _moved(self, room: Room, event: RoomRenamed) -> None:
        self.markers.move(f"#{key_of(event.before)}", f"#{room.key}", self.clients)

    def _followers(self, person: Person) -> Iterator[Person]:
        for watcher in self.watchers.get(person.key, ()):
            follows = "extended-monitor" in getattr(watcher, "capabilities", ())
            if follows and watcher.person is not None and watcher.person is not person:
                yield watcher.person


def isupport(network: str) -> list[str]:
    """Return the tokens of ISUPPORT (005), from what the server really does."""
    letters, signs = "".join(PREFIXES), "".join(PREFIXES.values())
    return [
        "ACCOUNTEXTBAN=a",
        "AWAYLEN=" + str(LONGEST_REASON),
        "BOT=B",
        "CASEMAPPING=ascii",
        f"CHANLIMIT=#:{MOST_ROOMS_EACH}",
        f"CHATHISTORY={MOST_HISTORY}",
        f"CHANMODES={KINDS.lists},k,{KINDS.when_set},{KINDS.never}",
        f"CHANNELLEN={LONGEST_ROOM + 1}",
        "CHANTYPES=#",
        "ELIST=CMNTU",
        "EXCEPTS=e",
        "EXTBAN=~,a",
        "INVEX=I",
        f"KEYLEN={LONGEST_KEY}",
        f"KICKLEN={LONGEST_REASON}",
        f"MAXLIST={KINDS.lists}:{MOST_MASKS}",
        f"MAXTARGETS={MOST_TARGETS}",
        f"MODES={MOST_MODES}",
        "MSGREFTYPES=msgid,timestamp",
        f"MONITOR={MOST_MONITORED}",
        f"NAMELEN={LONGEST_REALNAME}",
        f"NETWORK={network}",
        f"NICKLEN={LONGEST_NICK}",
        f"PREFIX=({letters}){signs}",
        "SAFELIST",
        f"STATUSMSG={signs}",
        (
            f"TARGMAX=JOIN:,KICK:,LIST:,NAMES:,NOTICE:{MOST_TARGETS},PART:,PRIVMSG:{MOST_TARGETS},"
            f"TAGMSG:{MOST_TARGETS},WHOIS:1"
        ),
        f"TOPICLEN={LONGEST_TOPIC}",
        f"USERLEN={LONGEST_USER}",
        "UTF8ONLY",
        "WHOX",
    ]
