"""MODE: of rooms, with their lists, and of oneself."""

from __future__ import annotations

from socketsuite.services.chat.irc.client import Client
from socketsuite.services.chat.irc.command import Command
from socketsuite.services.chat.irc.commands_rooms import refuse_in, room_named, sees
from socketsuite.services.chat.irc.numerics import LIST_REPLIES
from socketsuite.services.chat.irc.server import KINDS, MOST_MODES, USER_MODES
from socketsuite.services.chat.nicks import key_of
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.room import Room
from socketsuite.wire.irc import Line, ModeChange, parse_modes

_ROOM_LETTERS = KINDS.lists + KINDS.always + KINDS.when_set + KINDS.never


def mode(client: Client, line: Line) -> None:
    """MODE: see or change modes of a room, or one's own."""
    target, *rest = line.parameters
    if not target.startswith("#"):
        _own(client, target, rest)
        return
    room = room_named(client, target)
    if not rest:
        _show(client, room)
        return
    changes, shown = [], set[str]()
    for change in parse_modes(rest[0], rest[1:], KINDS)[:MOST_MODES]:
        if change.letter not in _ROOM_LETTERS:
            client.reply("ERR_UNKNOWNMODE", change.letter)
        elif change.letter in KINDS.lists and not change.about:
            if change.letter not in shown:
                _show_list(client, room, change.letter)
            shown.add(change.letter)
        elif _lacks_parameter(change):
            client.reply(
                "ERR_INVALIDMODEPARAM",
                f"#{room.name}",
                change.letter,
                "*",
                text="You must specify a parameter for that mode",
            )
        else:
            changes.append((change.sign, change.letter, change.about))
    if not changes:
        return
    try:
        client.hub.moderation.set_modes(client.me, f"#{room.name}", changes)
    except Refused as refused:
        if refused.code != "bad_mode":
            refuse_in(client, room, refused)
            return
        letter = refused.about
        client.reply("ERR_INVALIDMODEPARAM", f"#{room.name}", letter, "*", text=refused.text)


def _lacks_parameter(change: ModeChange) -> bool:
    if change.about:
        return False
    wants = change.letter in KINDS.always and (change.sign or change.letter != "k")
    return wants or (change.sign and change.letter in KINDS.when_set)


def _show(client: Client, room: Room) -> None:
    letters, words = "".join(sorted(room.flags)), []
    inside = client.me in room.members or client.me.operator
    if room.password is not None:
        letters += "k"
        words.append(room.password if inside else "*")
    if room.limit is not None:
        letters += "l"
        words.append(str(room.limit))
    client.reply("RPL_CHANNELMODEIS", f"#{room.name}", f"+{letters}", *words)
    client.reply("RPL_CREATIONTIME", f"#{room.name}", str(int(room.created)))


def _show_list(client: Client, room: Room, letter: str) -> None:
    if not sees(client, room):
        raise Refused("not_in_room", room.name, "you are not in that room")
    entry, end = LIST_REPLIES[letter]
    more = ["q"] if letter == "q" else []
    for listed in room.lists[letter].values():
        client.reply(entry, f"#{room.name}", *more, listed.mask, listed.by, str(int(listed.at)))
    client.reply(end, f"#{room.name}", *more)


def _own(client: Client, nick: str, rest: list[str]) -> None:
    me = client.me
    if key_of(nick) != me.key:
        client.hub.person(nick)
        client.reply("ERR_USERSDONTMATCH")
        return
    if not rest:
        letters = set(me.modes) | ({"o"} if me.operator else set())
        client.reply("RPL_UMODEIS", "+" + "".join(sorted(letters)))
        return
    done = ""
    for change in parse_modes(rest[0], [], KINDS)[:MOST_MODES]:
        if change.letter not in USER_MODES:
            client.reply("ERR_UMODEUNKNOWNFLAG")
        elif _set_own(client, change):
            done += ("+" if change.sign else "-") + change.letter
    if done:
        client.send("MODE", me.nick, done, source=me.mask)


def _set_own(client: Client, change: ModeChange) -> bool:
    """Change one mode of one's own; nobody makes itself an operator."""
    me = client.me
    if change.letter == "o":
        had, me.operator = me.operator, me.operator and change.sign
        me.operator_account = me.operator_account if me.operator else None
        return had and not change.sign
    if (change.letter in me.modes) == change.sign:
        return False
    me.modes ^= {change.letter}
    return True


COMMANDS = {
    "MODE": Command(mode, "#ROOM | NICK [MODES [PARAMETERS]]", "see or change modes", 1),
}
