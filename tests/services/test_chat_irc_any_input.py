"""IRC in memory, whatever is sent: nothing is raised, and every answer is a line of IRC."""

from __future__ import annotations

import re
from random import Random

import pytest
from twisted.internet.task import Clock

from socketsuite.services.chat.chat import Chat
from socketsuite.services.chat.irc.capabilities import CAPABILITIES
from socketsuite.services.chat.irc.factory import IRCFactory
from socketsuite.services.chat.irc.tables import COMMANDS
from socketsuite.services.chat.lines import LineChatFactory
from tests.services.streams import FakeStream

# Neither ends a connection at once, nor asks the process to read its settings again.
_COMMANDS = sorted(set(COMMANDS) - {"QUIT", "REHASH"})
_WORDS = [
    "#tea",
    "#tea",
    "anna",
    "boris",
    "anna",
    "boris",
    "#",
    "##x",
    "guest1",
    "*",
    "*!*@*",
    "@#tea",
    "+@#tea",
    "0",
    "+ov-b",
    "+beIqk",
    "+Z",
    "LATEST",
    "BETWEEN",
    "TARGETS",
    "AROUND",
    "BEFORE",
    "timestamp=2026-01-01T00:00:00.000Z",
    "msgid=1",
    "9",
    "5",
    "LS",
    "REQ",
    "LIST",
    "timestamp=0001-01-01T00:00:00.000Z",
    "timestamp=9999-12-31T23:59:59.999Z",
    "302",
    "+",
    "-",
    "C",
    "S",
    "L",
    "PLAIN",
    "%tcuihsnfdlaor,7",
    "<3",
    "T>1",
    "C<99999999999",
    "!*",
    ",",
    "a,b,c",
    "~a:x",
    "\u202e",
    "\xad",
    "ñandú",
    "�",
    "x:y",
    ":",
    "::",
    "::1",
]
_TEXTS = [
    " :",
    " :some words",
    " :\x01DCC SEND\x01",
    " :\x01ACTION y\x01",
    " :\x01",
    " :+",
    f" :{'ñ' * 99}",
]
_TAGS = ["@label=x ", "@+typing=a;label= ", "@+a=\\s;;=; ", "@ ", "@label=\\n "]
_LINES = 6000


def line(dice: Random) -> bytes:
    """Return a line that means something, nearly something, or nothing."""
    if dice.random() < 0.05:
        return dice.randbytes(dice.randrange(40))
    words = [dice.choice(_COMMANDS), *dice.choices(_WORDS, k=dice.choice([0, 1, 1, 2, 2, 3, 4, 5]))]
    tags = dice.choice(_TAGS) if dice.random() < 0.2 else ""
    last = dice.choice(_TEXTS) if dice.random() < 0.4 else ""
    return f"{tags}{' '.join(words)}{last}".encode("utf-8", "replace")


_OUT = re.compile(rb"(@[^ \0\r\n]+ )?(:[^ \0\r\n]+ )?([A-Z]+|\d\d\d)( [^\0\r\n]*)?\r\n")


def everything() -> bytes:
    names = " ".join(sorted(set(CAPABILITIES) - {"sasl", "sts"}))
    half = names[: len(names) // 2].rpartition(" ")[0]
    return f"CAP REQ :{half}\r\nCAP REQ :{names[len(half) :].strip()}\r\nCAP END\r\n".encode()


@pytest.mark.parametrize("seed", range(4))
def test_any_lines_raise_nothing_and_are_answered_by_lines(seed: int) -> None:
    dice, clock = Random(seed), Clock()
    chat = Chat(clock)
    factory = IRCFactory(chat, clock)
    lines = LineChatFactory(chat, clock)
    people = [
        entered(factory, clock, b"anna", b""),
        entered(factory, clock, b"boris", everything()),
    ]
    nc = FakeStream(lines.buildProtocol(None))
    for _ in range(_LINES):
        number, said = dice.randrange(2), line(dice)
        people[number].protocol.person.operator = bool(seed % 2)
        people[number].protocol.dataReceived(said + b"\r\n")
        clock.advance(0.1)
        for who, stream in enumerate(people):
            check(stream.taken(), said)
            if stream.protocol.closing:
                stream.gone()
                people[who] = entered(factory, clock, b"n%d" % dice.randrange(10**9), b"")
    for stream in [*people, nc]:
        stream.gone()
    assert chat.hub.people == factory.server.clients == factory.server.watchers == {}
    assert factory.server.unregistered == 0


def entered(factory: IRCFactory, clock: Clock, nick: bytes, first: bytes) -> FakeStream:
    """Return somebody who has said *first*, and is in #tea."""
    stream = FakeStream(factory.buildProtocol(None))
    stream.protocol.dataReceived(first + b"NICK %b\r\nUSER u 0 * :r\r\n" % nick)
    stream.protocol.dataReceived(b"JOIN #tea\r\nPRIVMSG #tea :hello\r\n")
    clock.advance(0)
    assert stream.protocol.person is not None
    return stream


def check(out: bytes, said: bytes) -> None:
    """See that *out*, what was told because of *said*, is whole lines of IRC."""
    for one in out.splitlines(keepends=True) if out else []:
        found = _OUT.fullmatch(one)
        assert found is not None, (said, one)
        assert len(one) - len(found[1] or b"") <= 512, (said, one)
        one.decode()
