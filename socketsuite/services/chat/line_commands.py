"""The commands of the line frontend, as a table, and those that everybody needs.

A line that begins with ``/`` is a command; what is refused is told in one line.  This module must
not know how lines arrive.
"""

from __future__ import annotations

import difflib

from socketsuite.services.chat.line_accounts import ACCOUNTS
from socketsuite.services.chat.line_command import Command, UsageError, first
from socketsuite.services.chat.line_moderation import MODERATION
from socketsuite.services.chat.line_render import clean
from socketsuite.services.chat.line_session import Session, known_room, knows, words
from socketsuite.services.chat.person import Person
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.room import OPERATOR, VOICE, Room

SHOWN_ON_JOIN = 20
"""Lines of history that are shown to who comes into a room."""

MOST_LISTED = 200
"""People or rooms that one command lists."""

_LONGEST_NAME = 20
"""Characters of a command's name; a longer one is like none."""


def obey(session: Session, line: bytes) -> None:
    """Do what *line* says, which begins with a slash; what cannot be done is told."""
    name, _, rest = line[1:].decode("utf-8", "replace").partition(" ")
    command = COMMANDS.get(name.lower())
    if command is None:
        session.tell(unknown(name))
        return
    session.become_interactive()
    try:
        command.run(session, rest.strip())
    except UsageError:
        session.tell(f"usage: /{name.lower()} {command.usage}".rstrip())
    except Refused as refused:
        session.tell(str(refused))


def unknown(name: str) -> str:
    """Return the one line that is told of a command that there is not."""
    name = name.lower()
    nearest = difflib.get_close_matches(name[:_LONGEST_NAME], COMMANDS, 1, 0.5)
    cure = f"did you mean /{nearest[0]}?" if nearest else "/help lists them."
    return f"there is no command /{name[:_LONGEST_NAME]}: {cure} A text begins with //"


# ── oneself ─────────────────────────────────────────────────────────────────────────────


def nick(session: Session, rest: str) -> None:
    """Have another nick."""
    name, more = first(rest)
    if more:
        raise UsageError
    before = session.person.nick
    session.hub.rename(session.person, name)
    if session.person.nick == before:
        session.tell(f"you are {before}")


def away(session: Session, rest: str) -> None:
    """Be away, or back."""
    session.hub.set_away(session.person, words(rest) or None)
    session.tell("you are away" if rest else "you are back")


def leave_server(session: Session, rest: str) -> None:
    """Leave the server."""
    session.end(words(rest))


# ── rooms ───────────────────────────────────────────────────────────────────────────────


def join(session: Session, rest: str) -> None:
    """Come into a room, and speak there."""
    name, key = first(rest)
    known = len(session.person.rooms)
    room = session.hub.join(session.person, name, key or None)
    session.speak_in(room)
    if len(session.person.rooms) == known:
        session.tell(f"you speak in #{room.name}")
        return
    if room.topic:
        session.tell(f"the topic of #{room.name}: {room.topic}")
    session.show_history(room, SHOWN_ON_JOIN)


def leave(session: Session, rest: str) -> None:
    """Go out of a room."""
    room = known_room(session, rest)
    current = session.is_current(room)
    session.hub.leave(session.person, room.name)
    if current:
        session.speak_in(None)
        if session.person.rooms:
            session.tell(f"you speak in #{session.room().name}")
    session.see_rooms()


def speak_in(session: Session, rest: str) -> None:
    """Speak in another of one's rooms."""
    if rest:
        room = session.hub.room(rest)
        if session.person not in room.members:
            raise Refused("not_in_room", f"#{clean(rest)}", "you are not in that room; /join it")
        session.speak_in(room)
    session.tell(f"you speak in #{session.room().name}")


def rooms(session: Session, rest: str) -> None:
    """List the rooms."""
    known = [room for room in session.hub.rooms.values() if knows(session, room)]
    for room in known[:MOST_LISTED]:
        topic = f": {room.topic}" if room.topic else ""
        mine = "*" if room.key in session.person.rooms else ""
        session.tell(f"#{room.name}{mine} {_people(len(room.members))}{topic}")
    if len(known) > MOST_LISTED:
        session.tell(f"and {len(known) - MOST_LISTED} more")


def who(session: Session, rest: str) -> None:
    """List who is in a room; its operators see addresses too."""
    room = known_room(session, rest)
    everybody = list(room.members)[:MOST_LISTED]
    more = len(room.members) - len(everybody)
    rest_of_them = f" and {more} more" if more else ""
    if room.is_operator(session.person):
        session.tell(f"#{room.name} has {_people(len(room.members))}:")
        for person in everybody:
            session.tell(f"{_status(room, person)}{person.nick} is {person.mask}{_details(person)}")
        if more:
            session.tell(rest_of_them.strip())
    else:
        names = " ".join(_status(room, person) + person.nick for person in everybody)
        session.tell(f"#{room.name} has {_people(len(room.members))}: {names}{rest_of_them}")


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"


def _status(room: Room, person: Person) -> str:
    statuses = room.members[person]
    return "@" if OPERATOR in statuses else "+" if VOICE in statuses else ""


def _details(person: Person) -> str:
    account = f", account {person.account}" if person.account else ""
    return account + (f", away: {person.away}" if person.away is not None else "")


def topic(session: Session, rest: str) -> None:
    """Show the topic, or set it."""
    room = session.room()
    if rest:
        session.hub.moderation.set_topic(
            session.person, room.name, "" if rest == "-" else words(rest)
        )
    else:
        session.tell(f"the topic of #{room.name}: {room.topic or 'none'}")


def history(session: Session, rest: str) -> None:
    """Show what was said."""
    if rest and not (rest.isascii() and rest.isdigit() and len(rest) <= 7):
        raise UsageError
    room = session.room()
    if not session.show_history(room, int(rest) if rest else SHOWN_ON_JOIN):
        session.tell(f"there is no history of #{room.name}")


# ── talking ─────────────────────────────────────────────────────────────────────────────


def message(session: Session, rest: str) -> None:
    """Say something to one person."""
    name, text = first(rest)
    if not text:
        raise UsageError
    session.hub.speech.tell_person(session.person, name, [text.encode().replace(b"\r", b"^M")])
    away = session.hub.person(name).away
    if away is not None:
        session.tell(f"{session.hub.person(name).nick} is away: {away}")


def emote(session: Session, rest: str) -> None:
    """Do something, in words."""
    if not rest:
        raise UsageError
    session.say([rest.encode()], "emote")


# ── help ────────────────────────────────────────────────────────────────────────────────


def help_(session: Session, rest: str) -> None:
    """Show a command's help line, or everybody's commands."""
    if rest:
        name = rest.lower().removeprefix("/")
        command = COMMANDS.get(name)
        session.tell(_help_of(name, command) if command is not None else unknown(name))
        return
    for name, command in COMMANDS.items():
        if name not in MODERATION:
            session.tell(_help_of(name, command))
    session.tell("for operators of a room: " + " ".join(f"/{name}" for name in MODERATION))
    session.tell("a line that is to begin with a slash begins with two")


def _help_of(name: str, command: Command) -> str:
    return f"{f'/{name} {command.usage}'.rstrip()}: {command.help}"


COMMANDS = {
    "nick": Command("NICK", "be called NICK", nick),
    "join": Command("ROOM [KEY]", "come into ROOM, and speak there", join),
    "leave": Command("[ROOM]", "go out of the room", leave),
    "room": Command(
        "[ROOM]", "speak in another of your rooms; without one, say which it is", speak_in
    ),
    "rooms": Command("", "list the rooms", rooms),
    "who": Command("[ROOM]", "list who is in the room; its operators see addresses", who),
    "msg": Command("NICK TEXT", "say TEXT to NICK alone", message),
    "me": Command("TEXT", "say what you do: * bob waves", emote),
    "topic": Command("[TEXT]", "show the room's topic, or set it; - is none", topic),
    "history": Command("[N]", "show the room's last N lines", history),
    "away": Command("[TEXT]", "be away; without a text, be back", away),
    **ACCOUNTS,
    "help": Command("[COMMAND]", "list the commands, or tell of one", help_),
    "quit": Command("[TEXT]", "leave, with a last word", leave_server),
    **MODERATION,
}
"""All of them, by their names, in the order of ``/help``."""
