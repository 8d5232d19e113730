"""What was said before: CHATHISTORY, MARKREAD and REDACT.

After IRCv3's drafts chathistory, read-marker and message-redaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from socketsuite.services.chat.events import Message
from socketsuite.services.chat.irc.client import Client
from socketsuite.services.chat.irc.command import Command
from socketsuite.services.chat.irc.render import server_time
from socketsuite.services.chat.irc.server import LONGEST_REASON, MOST_HISTORY
from socketsuite.services.chat.irc.texts import shortened
from socketsuite.services.chat.nicks import key_of
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.room import Room
from socketsuite.wire.irc import Line


class Wrong(Exception):
    """A request for history that cannot be: a standard reply's code, and what it is about."""

    def __init__(self, code: str, text: str, *context: str) -> None:
        super().__init__(text)
        self.code, self.text, self.context = code, text, context


@dataclass(frozen=True)
class Place:
    """A place among the messages of a room: at an order of theirs, or at a time."""

    order: int | None
    time: float

    def before(self, message: Message) -> bool:
        """Whether *message* comes after this place."""
        if self.order is not None:
            return message.order > self.order
        return _milliseconds(message.time) > _milliseconds(self.time)

    def after(self, message: Message) -> bool:
        """Whether *message* comes before this place."""
        if self.order is not None:
            return message.order < self.order
        return _milliseconds(message.time) < _milliseconds(self.time)


def _milliseconds(seconds: float) -> int:
    # As server_time() shows it, and so what clients ask by.
    return round(seconds * 1e6) // 1000


def seconds_of(text: str) -> float | None:
    """Return the time of ``timestamp=YYYY-MM-DDThh:mm:ss.sssZ`` in seconds since 1970."""
    value = text.removeprefix("timestamp=")
    if value == text or len(value) != 24 or not value.endswith("Z"):
        return None
    try:
        moment = datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment.timestamp()


def place_of(text: str, room: Room) -> Place:
    """Return the place that ``timestamp=…`` or ``msgid=…`` names.

    :raises Wrong: when it names none.
    """
    seconds = seconds_of(text)
    if seconds is not None:
        return Place(None, seconds)
    if not text.startswith("msgid="):
        raise Wrong("INVALID_PARAMS", "That is no timestamp= and no msgid=", text[:64])
    for message in room.history:
        if message.id == text[6:]:
            return Place(message.order, message.time)
    raise Wrong("MESSAGE_ERROR", "That message is not known any more", f"#{room.name}")


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
        raise Wrong("INVALID_PARAMS", "That is no number of messages", text[:32] or "*")
    return min(int(text), MOST_HISTORY)


def _latest(room: Room, words: list[str], most: int) -> list[Message]:
    if words[0] == "*":
        return room.history.latest(most)
    place = place_of(words[0], room)
    return [one for one in room.history if place.before(one)][-most:]


def _before(room: Room, words: list[str], most: int) -> list[Message]:
    place = place_of(words[0], room)
    return [one for one in room.history if place.after(one)][-most:]


def _after(room: Room, words: list[str], most: int) -> list[Message]:
    place = place_of(words[0], room)
    return [one for one in room.history if place.before(one)][:most]


def _around(room: Room, words: list[str], most: int) -> list[Message]:
    place = place_of(words[0], room)
    messages = list(room.history)
    at = sum(place.after(one) for one in messages)
    start = max(0, min(at - most // 2, len(messages) - most))
    return messages[start : start + most]


def _between(room: Room, words: list[str], most: int) -> list[Message]:
    first, second = place_of(words[0], room), place_of(words[1], room)
    if first.time <= second.time:
        return [one for one in room.history if first.before(one) and second.after(one)][:most]
    return [one for one in room.history if second.before(one) and first.after(one)][-most:]


Selection = Callable[[Room, list[str], int], list[Message]]
SELECTIONS: dict[str, tuple[Selection, int]] = {
    "AFTER": (_after, 1),
    "AROUND": (_around, 1),
    "BEFORE": (_before, 1),
    "BETWEEN": (_between, 2),
    "LATEST": (_latest, 1),
}
"""What of a room's messages is asked for, and how many places that takes."""


def chathistory(client: Client, line: Line) -> None:
    """CHATHISTORY: messages from before, as a batch."""
    what = line.parameters[0].upper()
    try:
        if what == "TARGETS":
            _targets(client, line.parameters[1:])
        elif what in SELECTIONS:
            _history(client, what, line.parameters[1:])
        else:
            raise Wrong("INVALID_PARAMS", "There is no such subcommand")
    except Wrong as wrong:
        client.fail("CHATHISTORY", wrong.code, what[:32], *wrong.context, text=wrong.text)


def _history(client: Client, what: str, words: list[str]) -> None:
    select, places = SELECTIONS[what]
    if len(words) < places + 2:
        raise Wrong("INVALID_PARAMS", "Parameters are missing")
    room = _readable(client, words[0])
    messages = select(room, words[1:], _limit(words[places + 1]))
    render = client.server.renderers.for_capabilities(client.capabilities)
    with client.batch("chathistory", f"#{room.name}") as batch:
        for message in messages:
            client.deliver(render.message(message, batch=batch, stamp=True))


def _readable(client: Client, name: str) -> Room:
    """Return the room, which the client is in: what others said is for those inside."""
    try:
        if name.startswith("#"):
            room = client.hub.room(name)
            room.require_member(client.me)
            return room
    except Refused:
        pass
    raise Wrong("INVALID_TARGET", "Messages could not be retrieved", name[:80])


def _targets(client: Client, words: list[str]) -> None:
    times = [seconds_of(word) for word in words[:2]]
    if len(words) < 3 or None in times:
        raise Wrong("INVALID_PARAMS", "Two timestamps and a number are needed")
    start, end = sorted(_milliseconds(one) for one in times if one is not None)
    found = []
    for key in client.me.rooms:
        room = client.hub.rooms[key]
        last = room.history.latest(1)
        if last and start < _milliseconds(last[0].time) < end:
            found.append((last[0].time, f"#{room.name}"))
    with client.batch("draft/chathistory-targets") as batch:
        tags = {"batch": batch} if batch else None
        for seconds, name in sorted(found)[: _limit(words[2])]:
            client.send("CHATHISTORY", "TARGETS", name, server_time(seconds), tags=tags)


# ── what has been read ──────────────────────────────────────────────────────────────


def markread(client: Client, line: Line) -> None:
    """MARKREAD: say up to when something was read, or ask."""
    if not line.parameters:
        client.fail("MARKREAD", "NEED_MORE_PARAMS", text="Missing parameters")
        return
    target = line.parameters[0]
    if len(line.parameters) < 2:
        show_marker(client, target)
        return
    seconds = seconds_of(line.parameters[1])
    if seconds is None:
        client.fail("MARKREAD", "INVALID_PARAMS", line.parameters[1], text="Invalid parameters")
        return
    seconds = min(seconds, client.hub.now())
    markers = client.server.markers.of(client)
    if seconds <= markers.get(key_of(target), 0.0):
        show_marker(client, target)
        return
    if not client.server.markers.set(client, key_of(target), seconds):
        text = "The read timestamp could not be set"
        client.fail("MARKREAD", "INTERNAL_ERROR", target, text=text)
        return
    for other in list(client.server.clients):
        same = other is client or (other.me_account is not None and _same(other, client))
        if same and (other is client or "draft/read-marker" in other.capabilities):
            show_marker(other, target)


def _same(one: Client, other: Client) -> bool:
    return one.me_account == other.me_account


def show_marker(client: Client, target: str) -> None:
    """Tell up to when *target* was read."""
    seconds = client.server.markers.of(client).get(key_of(target))
    client.send("MARKREAD", target, "*" if seconds is None else f"timestamp={server_time(seconds)}")


# ── what is taken back ──────────────────────────────────────────────────────────────


def redact(client: Client, line: Line) -> None:
    """REDACT: take a message back; one's own, or anybody's for the room's operators."""
    target, number = line.parameters[:2]
    reason = shortened(line.parameters[2], LONGEST_REASON) if len(line.parameters) > 2 else ""
    try:
        room = _readable(client, target)
    except Wrong:
        text = f"You cannot delete messages from {target}"
        client.fail("REDACT", "INVALID_TARGET", target, text=text)
        return
    try:
        client.hub.speech.redact(client.me, room, number, reason)
    except Refused as refused:
        unknown = refused.code == "no_such_message"
        code = "UNKNOWN_MSGID" if unknown else "REDACT_FORBIDDEN"
        client.fail("REDACT", code, target, number, text=refused.text)


COMMANDS = {
    "CHATHISTORY": Command(
        chathistory,
        "LATEST | BEFORE | AFTER | AROUND | BETWEEN | TARGETS …",
        "see what was said before",
        1,
        costly=True,
    ),
    "MARKREAD": Command(markread, "TARGET [timestamp=TIME]", "say up to when you have read"),
    "REDACT": Command(redact, "#ROOM MSGID [:REASON]", "take a message back", 2, costly=True),
}
