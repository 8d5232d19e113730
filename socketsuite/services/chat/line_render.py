"""What happens in the chat, as people with a line client see it.

What people say begins with ``-> ``, what the server says with ``* ``: a text that somebody wrote
can look like neither, for it comes after ``-> `` and has no end of line.  After ``-> `` there is

* for who has said no command: ``line`` of somebody without a nick, ``<nick> line`` of others;
* for everybody else always the nick: ``<nick> line`` in a room, ``(nick) line`` to one person,
  ``* nick line`` for an emote and ``-nick- line`` for a notice, after ``#room `` for those in
  several rooms.  No nick holds ``<``, ``(``, ``*`` or a space, nor begins with ``-``.

Each function here is one way to see events, and the same object for all who see them so.  This
module must not know who they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from socketsuite.services.chat import events
from socketsuite.services.chat.events import Event, Message
from socketsuite.services.chat.nicks import skeleton
from socketsuite.wire.printable import printable


def clean(text: str) -> str:
    """Return *text* with nothing in it that commands a terminal, or ends a line."""
    return printable(text.encode("utf-8", "replace")).decode()


def server_line(text: str) -> bytes:
    """Return a line that the server says; nobody else can say one like it."""
    return b"* %b\n" % printable(text.encode("utf-8", "replace"))


# ── who has said no command ─────────────────────────────────────────────────────────────


def render_plain(event: Event) -> bytes:
    """Return what somebody sees who has said no command: lines, and nothing else."""
    if type(event) is not events.Said or event.recipient is not None:
        return b""
    messages = event.messages
    if len(messages) == 1 and not messages[0].cuts:  # almost always
        return _plain_line(messages[0])
    return b"".join([_plain_line(line) for message in messages for line in message.apart()])


def _plain_line(message: Message) -> bytes:
    text = printable(message.text)
    if message.kind == "emote":
        return b"-> * %b %b\n" % (message.nick.encode(), text)
    if message.named:
        return b"-> <%b> %b\n" % (message.nick.encode(), text)
    return b"-> %b\n" % text


# ── who has ─────────────────────────────────────────────────────────────────────────────


def render_one_room(event: Event) -> bytes:
    """Return what somebody sees who is in one room."""
    return _rendered(event, "")


def render_rooms(event: Event) -> bytes:
    """Return what somebody sees who is in several: which of them it is, too."""
    return _rendered(event, "#")


def history_lines(message: Message) -> bytes:
    """Return history, with its time: ``-> [2026-11-21 14:02Z] <bob> hello``."""
    when = time.strftime("[%Y-%m-%d %H:%MZ] ", time.gmtime(message.time))
    head = b"-> %b%b" % (when.encode(), _said_by(message))
    return b"".join([b"%b%b\n" % (head, printable(line.text)) for line in message.apart()])


def _rendered(event: Event, room: str) -> bytes:
    if isinstance(event, events.Said):
        return b"".join(
            [_line(line, room) for message in event.messages for line in message.apart()]
        )
    words = _WORDS.get(type(event))
    text = words(event) if words is not None else ""
    return server_line(text) if text else b""


def _line(message: Message, room: str) -> bytes:
    if message.room is None:
        return b"-> (%b) %b\n" % (message.nick.encode(), printable(message.text))
    where = f"#{message.room} ".encode() if room else b""
    return b"-> %b%b%b\n" % (where, _said_by(message), printable(message.text))


def _said_by(message: Message) -> bytes:
    nick = message.nick.encode()
    if message.kind == "emote":
        return b"* %b " % nick
    return (b"-%b- " if message.kind == "notice" else b"<%b> ") % nick


def _joined(event: events.Joined) -> str:
    return f"{event.person.nick} joined #{event.room}"


def _left(event: events.Left) -> str:
    return f"{event.person.nick} left #{event.room}{_because(event.reason)}"


def _kicked(event: events.Kicked) -> str:
    by = _by(event.by)
    return f"{event.person.nick} was kicked from #{event.room} by {by}{_because(event.reason)}"


def _quit(event: events.Quit) -> str:
    return f"{event.person.nick} has gone{_because(event.reason)}"


def _renamed(event: events.Renamed) -> str:
    return f"{event.person.nick} is now {event.nick}"


def _room_renamed(event: events.RoomRenamed) -> str:
    because = _because(event.reason)
    return f"{event.by.nick} renamed #{event.before}: it is #{event.room}{because}"


def _topic(event: events.TopicSet) -> str:
    if not event.topic:
        return f"{event.by.nick} removed the topic of #{event.room}"
    return f"{event.by.nick} set the topic of #{event.room}: {event.topic}"


def _away(event: events.AwaySet) -> str:
    nick = event.person.nick
    return (
        f"{nick} is back" if event.message is None else f"{nick} is away{_because(event.message)}"
    )


def _logged_out(event: events.LoggedOut) -> str:
    return "you are logged out: that account is no more"


def _operator_lost(event: events.OperatorLost) -> str:
    return "you are an operator of the server no more"


def _invited(event: events.Invited) -> str:
    return f"{event.by.nick} invites you: /join #{event.room}"


def _modes(event: events.ModesSet) -> str:
    done = [_mode_words(*change) for change in event.changes]
    return f"{_by(event.by)} {', '.join(done)} in #{event.room}"


def _mode_words(sign: bool, letter: str, about: str | None) -> str:
    words = _MODES.get((sign, letter))
    if words is None:
        return f"set {'+' if sign else '-'}{letter} {about or ''}".rstrip()
    return words.format(about or "")


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _by(person: events.PersonFacts | None) -> str:
    return person.nick if person is not None else "the server's operator"


_WORDS: dict[type, Callable[[Any], str]] = {
    events.Joined: _joined,
    events.Left: _left,
    events.Kicked: _kicked,
    events.Quit: _quit,
    events.Renamed: _renamed,
    events.RoomRenamed: _room_renamed,
    events.TopicSet: _topic,
    events.ModesSet: _modes,
    events.AwaySet: _away,
    events.LoggedOut: _logged_out,
    events.OperatorLost: _operator_lost,
    events.Invited: _invited,
}
_MODES = {
    (True, "o"): "made {} an operator",
    (False, "o"): "made {} an operator no more",
    (True, "v"): "gave {} a voice",
    (False, "v"): "took {}'s voice",
    (True, "b"): "banned {}",
    (False, "b"): "lifted the ban of {}",
    (True, "q"): "muted {}",
    (False, "q"): "unmuted {}",
    # The key itself is for those who are told it.
    (True, "k"): "set a key",
    (False, "k"): "removed the key",
    (True, "l"): "set the limit to {} people",
    (False, "l"): "removed the limit",
    (True, "t"): "locked the topic",
    (False, "t"): "unlocked the topic",
    (True, "m"): "made it moderated",
    (False, "m"): "made it moderated no more",
    (True, "i"): "made it for invited people only",
    (False, "i"): "made it open to everybody",
}


# ── ncat --chat ─────────────────────────────────────────────────────────────────────────


def render_ncat(event: Event) -> bytes:
    """Return what ``ncat --chat`` shows: ``<userN> line``, and who comes and goes."""
    if isinstance(event, events.Said):
        if event.recipient is not None:
            return b""
        return b"".join(
            [_ncat_line(line) for message in event.messages for line in message.apart()]
        )
    if isinstance(event, events.Joined):
        return announce(f"{event.person.host} is connected as <{event.person.nick}>.")
    if isinstance(event, events.Left | events.Kicked | events.Quit):
        return announce(f"<{event.person.nick}> is disconnected.")
    if isinstance(event, events.Renamed):
        return announce(f"<{event.person.nick}> is now <{event.nick}>.")
    return b""


def announce(text: str) -> bytes:
    """Return a line that the server says as ``ncat --chat`` does."""
    return b"<announce> %b\n" % printable(text.encode())


def _ncat_line(message: Message) -> bytes:
    text = printable(message.text)
    if message.kind == "emote":
        text = b"* %b" % text
    # Elsewhere somebody may have that nick, who must not be taken for the server here.
    nick = "announce?" if skeleton(message.nick) == "announce" else message.nick
    return b"<%b> %b\n" % (nick.encode(), text)
