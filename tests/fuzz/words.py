"""What the mutations are made of: words that mean something, and valid input to begin with.

Commands, capabilities, modes and subcommands are read from the tables that the code obeys, so
that what is added there is tried by itself.
"""

from __future__ import annotations

from socketsuite.services.chat import lines as line_frontend
from socketsuite.services.chat.irc.capabilities import CAPABILITIES
from socketsuite.services.chat.irc.commands_history import SELECTIONS
from socketsuite.services.chat.irc.server import USER_MODES
from socketsuite.services.chat.irc.tables import COMMANDS as IRC_COMMANDS
from socketsuite.services.chat.line_commands import COMMANDS as LINE_COMMANDS
from socketsuite.services.chat.line_moderation import MODERATION
from socketsuite.services.chat.room import FLAGS, LISTS

OTHER, LATER = b"\xff", b"\xfe"
"""Bytes that no text has: the other one speaks from here on; time has passed."""

ESCAPES = [b"\x1b[2J", b"\x1b]0;x\x07", b"\x9b", "\x9b".encode(), b"\x00", b"\r", b"\x7f", b"\x01"]
LETTERS = ["\u202e", "\u2066", "\u2028", "\u200b", "\xad", "ñ", "е", "раураl", "a\u0301", "�", "😀"]
_PLACES = ["#tea", "#lobby", "#secret", "#new", "#", "anna", "boris", "eve", "mallory", "guest1"]
_WORDS = [
    *_PLACES,
    "@#tea",
    "+@#tea",
    "*",
    "*!*@*",
    "*a*b*c*?",
    "~a:eve",
    "0",
    "9",
    "99999999999",
    "-1",
    ",",
    "#tea,#new,#x",
    "anna,boris,*",
    "+",
    "-",
    ":",
    "%tcuihsnfdlaor,7",
    ">1",
    "C<60",
    "T>1",
    "!*x*",
    "timestamp=2026-01-01T00:00:00.000Z",
    "timestamp=0001-01-01T00:00:00.000Z",
    "timestamp=9999-12-31T23:59:59.999Z",
    "msgid=1",
    "PLAIN",
    "SCRAM-SHA-256",
    "ZXZlAGV2ZQByaWdodA==",
    "right",
    "on",
    "off",
    "\x01ACTION waves\x01",
    "\x01DCC SEND x 1 2 3\x01",
]


def general() -> list[bytes]:
    """Return words of any chat."""
    return [*(one.encode() for one in [*_WORDS, *LETTERS]), *ESCAPES, OTHER, LATER]


def irc() -> list[bytes]:
    """Return words of IRC."""
    letters = [*LISTS, *FLAGS, "o", "v", "k", "l", *USER_MODES]
    tags = ["@label=x ", "@+typing=active ", "@+a=\\s\\:\\\\;b ", "@;= "]
    what = ["LS 302", "LIST", "REQ :", "END", "TARGETS", "L", "C", "S", *SELECTIONS]
    found = [
        *(f"{name} " for name in IRC_COMMANDS),
        *(f"\r\n{name} " for name in IRC_COMMANDS),
        *CAPABILITIES,
        *(f"{sign}{letter}" for letter in letters for sign in "+-"),
        "".join(letters),
        *tags,
        *what,
        " :",
        "\r\n",
    ]
    return [one.encode() for one in found] + general()


def lines() -> list[bytes]:
    """Return words of the line frontend."""
    found = [f"/{name} " for name in LINE_COMMANDS] + [f"\n/{name} " for name in LINE_COMMANDS]
    return [*(one.encode() for one in found), b"//", b"\n", b"\r\n", *general()]


def all_words() -> list[bytes]:
    """Return words of both frontends."""
    return lines() + irc()


def everything() -> bytes:
    """Return a request for every capability, in lines that are short enough."""
    names = sorted(set(CAPABILITIES) - {"sts"})
    return b"".join(f"CAP REQ :{name}\r\n".encode() for name in names)


def irc_talks() -> list[bytes]:
    """Return valid talks of IRC, of everything there is."""
    enter = b"CAP LS 302\r\n%bCAP END\r\nNICK mallory\r\nUSER m 0 * :Mallory M\r\n" % everything()
    usual = b"JOIN #tea\r\nPRIVMSG #tea :hello\r\nPRIVMSG anna :hello\r\n"
    each = [
        f"{name} {usage}\r\n".encode()
        for name, command in IRC_COMMANDS.items()
        for usage in [command.usage.replace("…", "#tea * 5"), "#tea mallory anna"]
    ]
    own = b"MODE #tea +b *!*@*\r\nMODE #tea b\r\nKICK #tea boris :go\r\nTOPIC #tea :t\r\n"
    history = b"".join(
        f"CHATHISTORY {what} #tea timestamp=2000-01-01T00:00:00.000Z * 9\r\n".encode()
        for what in SELECTIONS
    )
    more = [
        b"MONITOR + anna,boris,eve\r\nMONITOR L\r\nMONITOR S\r\nMONITOR C\r\n",
        b"AUTHENTICATE PLAIN\r\nAUTHENTICATE ZXZlAGV2ZQByaWdodA==\r\n",
        b"OPER eve right\r\n" + LATER + b"KILL boris :x\r\nWALLOPS :y\r\n",
        b"@label=a;+typing=active TAGMSG #tea\r\n@label=b WHO #tea %tcuihsnfdlaor,7\r\n",
        b"JOIN #new key\r\nMODE #new +ikls key 5\r\n" + OTHER + b"JOIN #new key\r\n",
    ]
    texts = [usual, own, history, *more]
    return [b"\x00" + enter + usual, *(b"\x03" + one for one in [*texts, *each])]


def line_talks() -> list[bytes]:
    """Return valid talks of the line frontend, of everything there is."""
    each = [
        f"/{name} {usage}\n".encode()
        for name, command in LINE_COMMANDS.items()
        for usage in {command.usage, "anna", "tea"}
    ]
    own = b"/join new\nhello\n" + b"".join(f"/{name} mallory\n".encode() for name in MODERATION)
    return [
        b"\x00hello\n//x\n",
        b"\x00/nick mallory\n/join tea\nhello\n/me waves\n/history 5\n",
        b"\x00/login eve right\n" + LATER + b"/who lobby\n/kick boris go\n",
        b"\x04" + b"x\n" * 30,
        b"\x02" + own,
        b"\x00" + own + OTHER + b"/join new\n/nick eve\nhello\n" + OTHER + b"/quit bye\n",
        b"\x00" + b"z" * (line_frontend.LineChatFactory.max_line + 1),
        *(b"\x02" + one for one in each),
    ]
