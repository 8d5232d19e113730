"""Targets that are pure: bytes in, and what is known of everything that comes out.

Each raises ``AssertionError`` where something does not hold, and whatever else the code does.
"""

from __future__ import annotations

import contextlib
import unicodedata

from socketsuite.services.chat.irc.server import KINDS
from socketsuite.services.chat.nicks import key_of, skeleton
from socketsuite.wire.account_line import AccountLine, AccountLineError
from socketsuite.wire.irc import (
    LONGEST_BODY,
    MOST_PARAMETERS,
    BadLineError,
    cut,
    modes_text,
    packed,
    parse,
    parse_modes,
    pieces,
    serialise,
)
from socketsuite.wire.lines import LineFramer, LineTooLong
from socketsuite.wire.masks import LONGEST, matches, normal_mask
from socketsuite.wire.names import (
    LONGEST_NICK,
    LONGEST_ROOM,
    BadNameError,
    checked_nick,
    checked_room,
)
from socketsuite.wire.passwords import BadPasswordError, prepared
from socketsuite.wire.printable import printable
from socketsuite.wire.proxy import BadHeader, Header, HeaderFramer
from socketsuite.wire.scram import ClientFirst, Exchange, ScramError, Verifier
from tests.fuzz.mutate import cut_anywhere
from tests.fuzz.screens import is_safe

VERIFIER = Verifier.of(b"right", b"salt", 4096)
_MAX_LINE = 40


def irc_line(data: bytes) -> None:
    """What is a line is the same line after it was written and read again."""
    try:
        line = parse(data)
    except BadLineError:
        return
    assert line.command == line.command.upper()
    assert line.command.isascii()
    assert len(line.parameters) <= MOST_PARAMETERS
    wire = serialise(line.command, line.parameters, source=line.source, tags=line.tags)
    body = wire[wire.index(b" ") + 1 :] if line.tags else wire
    assert wire.endswith(b"\r\n")
    assert len(body) <= LONGEST_BODY
    if not is_safe(data.decode(), irc=True):
        assert is_safe(wire[:-2].decode(), irc=True)
        return
    with contextlib.suppress(BadLineError):  # with its escapes a tag may be too long now
        again = parse(wire[:-2])
        assert again.tags == line.tags
        if len(body) < LONGEST_BODY:
            assert (again.command, again.source) == (line.command, line.source)
            assert again.parameters == line.parameters


def irc_modes(data: bytes) -> None:
    """Every letter is there, in its order, and what is written reads the same."""
    text, *parameters = data.decode("utf-8", "replace").split(" ")
    changes = parse_modes(text, parameters, KINDS)
    assert [one.letter for one in changes] == [one for one in text if one not in "+-"]
    assert sum(one.about is not None for one in changes) <= len(parameters)
    known = KINDS.lists + KINDS.always + KINDS.when_set + KINDS.never
    told = [one for one in changes if one.letter in known and (one.about or one.letter not in "k")]
    again, *words = modes_text((one.sign, one.letter, one.about) for one in told)
    assert [one.letter for one in parse_modes(again, words, KINDS)] == [o.letter for o in told]


def irc_pieces(data: bytes) -> None:
    """Nothing is lost by cutting, and no character is cut."""
    most, text = 4 + data[0] if data else 4, data[1:].decode("utf-8", "replace")
    raw = text.encode()
    found = pieces(raw, most)
    assert b"".join(found) == raw
    assert all(len(one) <= most for one in found)
    for one in [*found, cut(raw, most)]:
        one.decode()
    words = text.split(" ")
    texts = packed(words, most)
    assert " ".join(texts).split(" ") == words
    assert all(len(one.encode()) <= most or " " not in one for one in texts)


def masks(data: bytes) -> None:
    """A mask matches as the simplest of algorithms says."""
    mask, _, text = data.decode("utf-8", "replace").partition("\n")
    whole = normal_mask(mask)
    assert len(whole) > LONGEST or normal_mask(whole) == whole
    found = matches(mask, text)
    assert matches(mask.replace("?", "a"), text.replace("?", "a")) in (True, False)
    if len(mask) <= 40 and len(text) <= 40:
        assert found == _matches_slowly("".join(map(key_of, mask)), text)


def _matches_slowly(mask: str, text: str) -> bool:
    row = [True] + [False] * len(text)
    for one in mask:
        if one == "*":
            for at in range(len(text)):
                row[at + 1] = row[at + 1] or row[at]
        else:
            row = [False, *(row[at] and one in ("?", text[at]) for at in range(len(text)))]
    return row[-1]


def scram(data: bytes) -> None:
    """Who does not know the password proves nothing, and hears the RFC's word for it."""
    first, _, final = data.partition(b"\n")
    with contextlib.suppress(ScramError):
        exchange = Exchange(ClientFirst.parse(first), VERIFIER, b"ours")
        raised = False
        try:
            exchange.finish(final)
        except ScramError:
            raised = True
        assert raised
    with contextlib.suppress(ScramError):
        verifier = Verifier.parse(data.decode("utf-8", "replace"))
        assert Verifier.parse(str(verifier)) == verifier


def account_line(data: bytes) -> None:
    """A line that is one is the same after it was written and read again."""
    with contextlib.suppress(AccountLineError):
        account = AccountLine.parse(data.decode("utf-8", "replace"))
        assert AccountLine.parse(str(account)) == account
    with contextlib.suppress(BadPasswordError):
        assert prepared(data.decode("utf-8", "replace"))


def proxy_header(data: bytes) -> None:
    """However it is cut, the header is the same one, and ends at the same byte."""
    assert _header(cut_anywhere(data)) == _header([data]) == _header([bytes([b]) for b in data])


def _header(chunks: list[bytes]) -> tuple[Header | str | None, int]:
    framer, taken, waiting = HeaderFramer(), 0, b""
    for chunk in chunks:
        waiting += chunk
        while waiting and (count := framer.belonging(waiting)):
            try:
                header = framer.feed(waiting[:count])
            except BadHeader:
                return "none", 0
            taken, waiting = taken + count, waiting[count:]
            if header is not None:
                return header, taken
    return None, 0


def line_framer(data: bytes) -> None:
    """However it is cut, the lines are those that a simple split gives."""
    assert _framed(cut_anywhere(data)) == _framed([data]) == _framed([bytes([b]) for b in data])


def _framed(chunks: list[bytes]) -> tuple[list[bytes], bool]:
    framer, found = LineFramer(_MAX_LINE), []
    for chunk in chunks:
        try:
            found += framer.feed(chunk)
        except LineTooLong as error:
            return found + error.lines, True
        assert framer.pending <= _MAX_LINE + 1
    return found, False


def names(data: bytes) -> None:
    """A name that is allowed is in its normal form, short and safe, and stays itself."""
    text = data.decode("utf-8", "replace")
    skeleton(text)
    for checked, most in ((checked_nick, LONGEST_NICK), (checked_room, LONGEST_ROOM)):
        with contextlib.suppress(BadNameError):
            name = checked(text)
            assert checked(name) == name
            assert 0 < len(name.encode()) <= most
            assert is_safe(name)
            assert not set(name) & set(" ,:!@*?\t\n<>()")
            assert skeleton(name) == skeleton(unicodedata.normalize("NFC", name))
            assert key_of(key_of(name)) == key_of(name)


def printed(data: bytes) -> None:
    """What is printable commands no terminal, and stays as it is."""
    shown = printable(data)
    assert is_safe(shown.decode())
    assert printable(shown) == shown
