"""Talking: PRIVMSG, NOTICE and TAGMSG, to rooms, to those with a status there, to one person."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import cast

from socketsuite.services.chat.events import Kind, Message
from socketsuite.services.chat.irc.client import Client
from socketsuite.services.chat.irc.command import Command
from socketsuite.services.chat.irc.commands_rooms import each, room_named, show_away
from socketsuite.services.chat.irc.render import Renderer
from socketsuite.services.chat.irc.server import MOST_TARGETS, PREFIXES
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.room import Room
from socketsuite.wire.irc import Line, tags_text

_STATUSES = {sign: letter for letter, sign in PREFIXES.items()}


def privmsg(client: Client, line: Line) -> None:
    """PRIVMSG: say something; what is refused is told."""
    _talk(client, line, "message")


def notice(client: Client, line: Line) -> None:
    """NOTICE: as PRIVMSG, but nothing answers it."""
    _talk(client, line, "notice")


def _talk(client: Client, line: Line, kind: Kind) -> None:
    answered = kind != "notice"
    targets = _targets(client, line, quiet=not answered)
    if len(line.parameters) < 2 or not line.parameters[1]:
        if targets and answered:
            client.reply("ERR_NOTEXTTOSEND")
        return
    text = line.parameters[1]
    if kind == "message" and text.startswith("\x01ACTION "):
        kind, text = "emote", text[8:].removesuffix("\x01")
    tags = client_tags(line)
    for target in targets:
        say_answered(client, target, [text.encode()], kind, tags)


def say_answered(
    client: Client,
    target: str,
    lines: Sequence[bytes],
    kind: Kind,
    tags: str,
    cuts: tuple[int, ...] = (),
) -> None:
    """As :func:`say`; what is refused is told, but for a notice."""
    try:
        say(client, target, lines, kind, tags, cuts)
    except Refused as refused:
        if kind != "notice":
            _refuse(client, target, refused)


def _refuse(client: Client, target: str, refused: Refused) -> None:
    if refused.code == "cannot_say" and "#" not in target:
        client.reply("ERR_CANNOTSENDTOUSER", target, text=refused.text)
    else:
        client.refuse(refused)


def _targets(client: Client, line: Line, quiet: bool = False) -> list[str]:
    names = each(client, line.parameters[0]) if line.parameters else []
    if not names and not quiet:
        client.reply("ERR_NORECIPIENT", text=f"No recipient given ({line.command})")
    if len(names) > MOST_TARGETS:
        if not quiet:
            client.reply("ERR_TOOMANYTARGETS", names[MOST_TARGETS])
        return names[:MOST_TARGETS]
    return names


def client_tags(line: Line) -> str:
    """Return the tags that are for other clients: those that begin with ``+``."""
    if not line.tags:
        return ""
    return tags_text({key: value for key, value in line.tags.items() if key[0] == "+"})


def _with_own(client: Client, tags: str) -> str:
    """Return the tags of a message: the client's, if it may, and that it is a bot's."""
    own = ["bot"] if "B" in client.me.modes else []
    return ";".join([tags, *own] if tags and "message-tags" in client.capabilities else own)


def say(
    client: Client,
    target: str,
    lines: Sequence[bytes],
    kind: Kind,
    tags: str,
    cuts: tuple[int, ...] = (),
) -> tuple[Message, ...]:
    """Say *lines* to *target*, and show them to who wants an echo.

    :param cuts: of a message of several lines.
    :raises Refused: when it may not be said there.
    """
    me, hub = client.me, client.hub
    tags = _with_own(client, tags)
    name = target.lstrip("".join(_STATUSES)) if target[0] in _STATUSES else target
    if name.startswith("#"):
        room = room_named(client, name)
        status = _STATUSES.get(target[0], "")
        _check_ctcp(client, room, lines, kind)
        if status:
            letter = "o" if "@" in target[: len(target) - len(name)] else status
            said = hub.speech.say_to_status(room, me, letter, lines, kind, tags, cuts)
            _echo(client, said, None, PREFIXES[letter])
        else:
            said = hub.speech.say_in(room, me, lines, kind, tags, cuts)
            _echo(client, said, None)
        return said
    _check_ctcp(client, None, lines, kind)
    # What one says to oneself comes twice: as it comes to anybody, and as an answer.
    with client.unanswered() if hub.person(target) is me else contextlib.nullcontext():
        said = hub.speech.tell_person(me, target, lines, kind, tags, cuts)
    other = hub.person(target)
    _echo(client, said, other.nick)
    if kind != "notice":
        show_away(client, other)
    return said


def _check_ctcp(client: Client, room: Room | None, lines: Sequence[bytes], kind: Kind) -> None:
    if kind == "emote" or not lines[0].startswith(b"\x01"):
        return
    if lines[0].upper().startswith(b"\x01DCC") and not client.server.dcc:
        raise Refused("cannot_say", room.name if room else "*", "DCC does not pass here")
    if room is not None and "C" in room.flags:
        raise Refused("cannot_say", room.name, "no CTCP in that room")


def _echo(client: Client, said: Sequence[Message], recipient: str | None, prefix: str = "") -> None:
    if "echo-message" not in client.capabilities:
        return
    render = cast(Renderer, client.me.render)
    for message in said:
        client.deliver(render.message(message, recipient, prefix=prefix))


def tagmsg(client: Client, line: Line) -> None:
    """TAGMSG: tags for other clients, without a text."""
    tags = client_tags(line)
    if "message-tags" not in client.capabilities:
        client.reply("ERR_UNKNOWNCOMMAND", "TAGMSG")
        return
    targets = _targets(client, line) if tags else []
    tags = _with_own(client, tags)
    for target in targets:
        try:
            if target.startswith("#"):
                event = client.hub.speech.tag_room(room_named(client, target), client.me, tags)
            else:
                self_told = client.hub.person(target) is client.me
                with client.unanswered() if self_told else contextlib.nullcontext():
                    event = client.hub.speech.tag_person(client.me, target, tags)
        except Refused as refused:
            client.refuse(refused)
        else:
            if "echo-message" in client.capabilities:
                client.deliver(client.me.render(event))


COMMANDS = {
    "NOTICE": Command(notice, "TARGET{,TARGET} :TEXT", "say something that nothing answers"),
    "PRIVMSG": Command(privmsg, "TARGET{,TARGET} :TEXT", "say something to rooms or people"),
    "TAGMSG": Command(tagmsg, "TARGET{,TARGET}", "send tags to other clients"),
}
