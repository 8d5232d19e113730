"""Turns the hub's events into lines of IRC, once for all clients with the same capabilities.

A :class:`Renderer` is what the hub calls a person's *render*.  This module must not know a
client, nor a connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from weakref import WeakValueDictionary

from socketsuite.services.chat import events
from socketsuite.services.chat.events import Event, Message, PersonFacts
from socketsuite.services.chat.irc.capabilities import RENDERING
from socketsuite.services.chat.irc.numerics import NUMERICS
from socketsuite.wire.irc import LONGEST_BODY, modes_text, pieces, serialise, tags_text
from socketsuite.wire.printable import formatted

_STATUS_PREFIXES = {"": "", "o": "@", "v": "+"}
_DCC = b"\x01DCC "
_AROUND_EMOTE = b"\x01ACTION ", b"\x01"
_ROOM_FOR_MODES = 250


def server_time(seconds: float) -> str:
    """Return a time as the tag ``time`` has it: UTC, to the millisecond (ISO 8601)."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _each_tagged(
    first: bytes, later: bytes, head: bytes, texts: Iterable[bytes]
) -> Iterator[bytes]:
    """Yield lines of which the first has other tags than those behind it."""
    for text in texts:
        yield b"%b%b%b\r\n" % (first, head, text)
        first = later


class Renderers:
    """The renderers that are in use, one for each set of capabilities that matters.

    :param server: the server's name.
    :param now: seconds since 1970.
    :param dcc: whether DCC passes.
    """

    def __init__(self, server: str, now: Callable[[], float], dcc: bool) -> None:
        self._server, self._now, self._dcc = server, now, dcc
        self._known: WeakValueDictionary[frozenset[str], Renderer] = WeakValueDictionary()

    def for_capabilities(self, names: frozenset[str]) -> Renderer:
        """Return the same object for all sets that look alike."""
        names = names & RENDERING
        found = self._known.get(names)
        if found is None:
            found = self._known[names] = Renderer(names, self._server, self._now, self._dcc)
        return found


class Renderer:
    """Renders events for one set of capabilities; called with an event, it returns lines.

    Events that the set does not show are empty.
    """

    def __init__(
        self, names: frozenset[str], server: str, now: Callable[[], float], dcc: bool
    ) -> None:
        self._server, self._now, self._dcc = server, now, dcc
        self.names = names
        self._tags = "message-tags" in names
        self._time = "server-time" in names
        self._account = "account-tag" in names
        self._multiline = {"batch", "draft/multiline"} <= names
        self._how: dict[type[Any], Callable[[Any], bytes]] = {
            events.Said: self._said,
            events.Tagged: self._tagged,
            events.Redacted: self._redacted,
            events.Joined: self._joined,
            events.Left: self._left,
            events.Kicked: self._kicked,
            events.Quit: self._quit,
            events.Renamed: self._renamed,
            events.RoomRenamed: self._room_renamed,
            events.TopicSet: self._topic_set,
            events.ModesSet: self._modes_set,
            events.AwaySet: self._away_set,
            events.AccountSet: self._account_set,
            events.LoggedOut: self._logged_out,
            events.OperatorLost: self._operator_lost,
            events.RealnameSet: self._realname_set,
            events.Invited: self._invited,
            events.InviteSeen: self._invite_seen,
        }

    def __call__(self, event: Event) -> bytes:
        """Return the lines of *event*."""
        how = self._how.get(type(event))
        return how(event) if how is not None else b""

    # ── what is said ────────────────────────────────────────────────────────────────

    def _said(self, event: events.Said) -> bytes:
        prefix = _STATUS_PREFIXES[event.status]
        return b"".join(
            [self.message(one, event.recipient, prefix=prefix) for one in event.messages]
        )

    def message(
        self,
        message: Message,
        recipient: str | None = None,
        *,
        batch: str = "",
        prefix: str = "",
        stamp: bool = False,
    ) -> bytes:
        """Return the lines of one message, in pieces where it is too long for one.

        :param recipient: of a private message.
        :param batch: the batch that it is in.
        :param prefix: of a room's name: for whom in it the message is.
        :param stamp: whether who has no ``server-time`` is shown the time in the text.
        """
        target = f"{prefix}#{message.room}" if message.room is not None else recipient
        command = "NOTICE" if message.kind == "notice" else "PRIVMSG"
        head = f":{message.mask} {command} {target} :".encode("utf-8", "replace")
        if message.cuts:
            return self._several(message, batch, stamp, head)
        text = formatted(message.text)
        if message.kind != "emote" and text.startswith(_DCC) and not self._dcc:
            return b""
        if stamp and not self._time:
            text = self._stamp(message) + text
        before, after = _AROUND_EMOTE if message.kind == "emote" else (b"", b"")
        room = LONGEST_BODY - 2 - len(head) - len(before) - len(after)
        tags = self._tags_of(message, batch)
        if len(text) <= room:
            return b"%b%b%b%b%b\r\n" % (tags, head, before, text, after)
        # A message's id is of one line alone; the pieces after the first have none.
        later = self._stamps(message.time, message.account, batch)
        texts = [b"%b%b%b" % (before, piece, after) for piece in pieces(text, max(room, 64))]
        return b"".join(_each_tagged(tags, later, head, texts))

    def _several(self, message: Message, batch: str, stamp: bool, head: bytes) -> bytes:
        """Return the lines of a message that has several: as a batch, or each by itself."""
        before, after = _AROUND_EMOTE if message.kind == "emote" else (b"", b"")
        room = max(LONGEST_BODY - 2 - len(head) - len(before) - len(after), 64)
        # Each with whether it goes on where the one before it was cut.
        lines: list[tuple[bool, bytes]] = []
        cut = False
        for part in message.parts():
            text = formatted(part.removesuffix(b"\n"))
            for piece in pieces(text, room):
                if self._dcc or not piece.startswith(_DCC):
                    lines.append((cut, b"%b%b%b" % (before, piece, after) if piece else b""))
                cut = True
            cut = not part.endswith(b"\n")
        tags = self._tags_of(message, batch)
        if not self._multiline:
            if stamp and not self._time:
                lines = [(False, self._stamp(message) + text) for _, text in lines if text]
            more = message.tags if self._tags else ""
            later = self._stamps(message.time, message.account, batch, more)
            return b"".join(_each_tagged(tags, later, head, [text for _, text in lines if text]))
        target = head.split(b" ")[2].decode()
        start = serialise(
            "BATCH", [f"+{message.id}", "draft/multiline", target], source=message.mask
        )
        end = serialise("BATCH", [f"-{message.id}"], source=message.mask)
        own = f"@batch={message.id}".encode()
        signs = {False: own, True: own + b";draft/multiline-concat"}
        body = [b"%b %b%b\r\n" % (signs[cut], head, text) for cut, text in lines]
        return b"".join([tags, start, *body, end])

    def _stamp(self, message: Message) -> bytes:
        moment = datetime.fromtimestamp(message.time, UTC)
        return f"[{moment:%H:%M}] ".encode()

    def _tags_of(self, message: Message, batch: str) -> bytes:
        if not self._tags:
            return self._stamps(message.time, message.account, batch)
        more = f"{message.tags};msgid={message.id}" if message.tags else f"msgid={message.id}"
        return self._stamps(message.time, message.account, batch, more)

    def _stamps(
        self, seconds: float, account: str | None, batch: str = "", more: str = ""
    ) -> bytes:
        tags = [f"batch={batch}"] if batch else []
        if self._time:
            tags.append(f"time={server_time(seconds)}")
        if self._account and account:
            tags.append(tags_text({"account": account}))
        if more:
            tags.append(more)
        return f"@{';'.join(tags)} ".encode() if tags else b""

    def _tagged(self, event: events.Tagged) -> bytes:
        if not self._tags:
            return b""
        target = f"#{event.room}" if event.room is not None else str(event.recipient)
        stamps = self._stamps(
            event.time, event.person.account, more=f"{event.tags};msgid={event.id}"
        )
        return stamps + serialise("TAGMSG", [target], source=event.person.mask)

    def _redacted(self, event: events.Redacted) -> bytes:
        if "draft/message-redaction" not in self.names:
            return b""
        more = f"msgid={event.id}" if self._tags else ""
        stamps = self._stamps(event.time, event.by.account, more=more)
        words = [f"#{event.room}", event.message, *filter(None, [event.reason])]
        return stamps + serialise("REDACT", words, source=event.by.mask)

    # ── what happens ────────────────────────────────────────────────────────────────

    def _line(self, who: PersonFacts | None, command: str, *parameters: str) -> bytes:
        account = who.account if who is not None else None
        source = who.mask if who is not None else self._server
        return self._stamps(self._now(), account) + serialise(command, parameters, source=source)

    def _joined(self, event: events.Joined) -> bytes:
        who, room = event.person, f"#{event.room}"
        if "extended-join" in self.names:
            return self._line(who, "JOIN", room, who.account or "*", who.realname)
        return self._line(who, "JOIN", room)

    def _left(self, event: events.Left) -> bytes:
        return self._line(event.person, "PART", f"#{event.room}", *filter(None, [event.reason]))

    def _kicked(self, event: events.Kicked) -> bytes:
        by = event.by.nick if event.by is not None else self._server
        return self._line(event.by, "KICK", f"#{event.room}", event.person.nick, event.reason or by)

    def _quit(self, event: events.Quit) -> bytes:
        return self._line(event.person, "QUIT", event.reason)

    def _renamed(self, event: events.Renamed) -> bytes:
        return self._line(event.person, "NICK", event.nick)

    def _room_renamed(self, event: events.RoomRenamed) -> bytes:
        # To others it is told by leaving and joining, which each sees of itself.
        if "draft/channel-rename" not in self.names:
            return b""
        return self._line(event.by, "RENAME", f"#{event.before}", f"#{event.room}", event.reason)

    def _topic_set(self, event: events.TopicSet) -> bytes:
        return self._line(event.by, "TOPIC", f"#{event.room}", event.topic)

    def _modes_set(self, event: events.ModesSet) -> bytes:
        # Masks of the longest do not all go into one line.
        lines: list[bytes] = []
        some: list[tuple[bool, str, str | None]] = []
        size = 0
        for change in event.changes:
            size += len(change[2] or "") * 3 + 2
            if some and size > _ROOM_FOR_MODES:
                lines.append(self._line(event.by, "MODE", f"#{event.room}", *modes_text(some)))
                some, size = [], 0
            some.append(change)
        lines.append(self._line(event.by, "MODE", f"#{event.room}", *modes_text(some)))
        return b"".join(lines)

    def _away_set(self, event: events.AwaySet) -> bytes:
        if "away-notify" not in self.names:
            return b""
        return self._line(event.person, "AWAY", *filter(None, [event.message]))

    def _account_set(self, event: events.AccountSet) -> bytes:
        if "account-notify" not in self.names:
            return b""
        return self._line(event.person, "ACCOUNT", event.account or "*")

    def _logged_out(self, event: events.LoggedOut) -> bytes:
        number, text = NUMERICS["RPL_LOGGEDOUT"]
        return self._line(None, number, event.person.nick, event.person.mask, text)

    def _operator_lost(self, event: events.OperatorLost) -> bytes:
        return self._line(event.person, "MODE", event.person.nick, "-o")

    def _realname_set(self, event: events.RealnameSet) -> bytes:
        if "setname" not in self.names:
            return b""
        return self._line(event.person, "SETNAME", event.realname)

    def _invited(self, event: events.Invited) -> bytes:
        return self._line(event.by, "INVITE", event.nick, f"#{event.room}")

    def _invite_seen(self, event: events.InviteSeen) -> bytes:
        if "invite-notify" not in self.names:
            return b""
        return self._line(event.by, "INVITE", event.nick, f"#{event.room}")
