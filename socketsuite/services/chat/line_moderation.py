"""The moderator's commands of the line frontend: each is about the room that is spoken in.

This module must not know who may do what: the hub does.
"""

from __future__ import annotations

from collections.abc import Callable

from socketsuite.services.chat.line_command import Command, UsageError, first
from socketsuite.services.chat.line_session import Session, words
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.renaming import rename_room

Change = tuple[bool, str, str | None]


def _set(session: Session, *changes: Change) -> None:
    if not session.hub.moderation.set_modes(session.person, session.room().name, changes):
        session.tell("nothing has changed: it was so already")


def _about_one(sign: bool, letter: str) -> Callable[[Session, str], None]:
    """Return a command that sets a mode about a nick or a mask."""

    def run(session: Session, rest: str) -> None:
        about, more = first(rest)
        if more:
            raise UsageError
        _set(session, (sign, letter, words(about)))

    return run


def _always(sign: bool, letter: str) -> Callable[[Session, str], None]:
    """Return a command that sets a mode about nothing."""
    return lambda session, rest: _set(session, (sign, letter, None))


def _on_or_off(letter: str) -> Callable[[Session, str], None]:
    """Return a command that sets a mode, or takes it back."""

    def run(session: Session, rest: str) -> None:
        if rest.lower() not in ("on", "off"):
            raise UsageError
        _set(session, (rest.lower() == "on", letter, None))

    return run


def _with_or_without(letter: str) -> Callable[[Session, str], None]:
    """Return a command that sets a mode to what follows, or takes it back."""
    return lambda session, rest: _set(session, (bool(rest), letter, words(rest) or None))


def kick(session: Session, rest: str) -> None:
    """Put somebody out."""
    nick, reason = first(rest)
    session.hub.moderation.kick(session.person, nick, session.room().name, words(reason))


def rename(session: Session, rest: str) -> None:
    """Give the room another name."""
    name, reason = first(rest)
    rename_room(session.hub, session.person, session.room().name, name, words(reason))


def bans(session: Session, rest: str) -> None:
    """Show the masks."""
    room = session.room()
    room.require_operator(session.person)
    said = {"b": "banned", "q": "muted", "e": "never banned", "I": "invited"}
    entries = [(word, one) for letter, word in said.items() for one in room.lists[letter].values()]
    for word, one in entries:
        session.tell(f"{word}: {one.mask}, by {one.by}")
    if not entries:
        session.tell(f"nobody is banned or muted in #{room.name}")


def invite(session: Session, rest: str) -> None:
    """Let somebody in once."""
    nick, more = first(rest)
    if more:
        raise UsageError
    other, room = session.hub.person(nick), session.room()
    session.hub.moderation.invite(session.person, nick, room.name)
    if other.hears_private:
        session.tell(f"{other.nick} is invited to #{room.name}")
    else:
        raise Refused("cannot_say", other.nick, "may come in now, but cannot be told of it")


MODERATION = {
    "kick": Command("NICK [REASON]", "put NICK out of the room", kick),
    "rename": Command("NAME [REASON]", "give the room another name", rename),
    "ban": Command(
        "MASK", "keep out a nick, or nick!user@host with * and ?", _about_one(True, "b")
    ),
    "unban": Command("MASK", "lift a ban", _about_one(False, "b")),
    "bans": Command("", "who is banned, and who muted", bans),
    "mute": Command("MASK", "have a nick or mask not speak", _about_one(True, "q")),
    "unmute": Command("MASK", "have it speak again", _about_one(False, "q")),
    "voice": Command("NICK", "have NICK speak in a moderated room", _about_one(True, "v")),
    "unvoice": Command("NICK", "take that back", _about_one(False, "v")),
    "op": Command("NICK", "make NICK an operator of the room", _about_one(True, "o")),
    "deop": Command("NICK", "take that back", _about_one(False, "o")),
    "invite": Command("NICK", "let NICK in once, whatever keeps others out", invite),
    "key": Command(
        "[KEY]", "let in only who knows KEY; without one, everybody", _with_or_without("k")
    ),
    "limit": Command(
        "[N]", "let in at most N people; without one, any number", _with_or_without("l")
    ),
    "lock": Command("", "let only operators set the topic", _always(True, "t")),
    "unlock": Command("", "let everybody inside set the topic", _always(False, "t")),
    "moderated": Command("on|off", "let only operators and voices speak", _on_or_off("m")),
    "invite-only": Command("on|off", "let in only who is invited", _on_or_off("i")),
}
"""By their names."""
