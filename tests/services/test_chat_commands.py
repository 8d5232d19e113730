"""The commands of the line frontend, each by what its people see."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socketsuite.services.chat.line_commands import COMMANDS
from socketsuite.services.chat.line_moderation import MODERATION
from tests.services.line_chat import LineRoom

# What is typed by whom, in order; and what each sees of the last line typed.  Ann came first and is
# the lobby's operator, Bob is an ordinary member who has said a command, Cat has said none.
SEEN: dict[str, tuple[list[str], dict[str, str]]] = {
    "nick": (
        ["bob: /nick robert"],
        {"ann": "* bob is now robert\n", "bob": "* bob is now robert\n", "cat": ""},
    ),
    "nick, nothing": (["bob: /nick"], {"bob": "* usage: /nick NICK\n"}),
    "nick, taken": (["bob: /nick ann"], {"bob": "* ann: somebody has that nick\n", "ann": ""}),
    "join": (["bob: /join den"], {"bob": "* bob joined #den\n", "ann": ""}),
    "join, again": (["bob: /join den", "bob: /join #DEN"], {"bob": "* you speak in #den\n"}),
    "join, a topic and history": (
        ["ann: /join den", "ann: /topic tea", "ann: one", "bob: /join den"],
        {
            "bob": "* bob joined #den\n* the topic of #den: tea\n* the history of #den:\n"
            "-> [1970-01-01 00:00Z] <ann> one\n",
            "ann": "* bob joined #den\n",
        },
    ),
    "join, a key": (
        ["ann: /join den", "ann: /key tea", "bob: /join den milk"],
        {"bob": "* den: the room's key is another one\n", "ann": ""},
    ),
    "join, the right key": (
        ["ann: /join den", "ann: /key tea", "bob: /join den tea"],
        {"bob": "* bob joined #den\n", "ann": "* bob joined #den\n"},
    ),
    "leave": (
        ["bob: /leave"],
        {"ann": "* bob left #lobby\n", "bob": "* bob left #lobby\n", "cat": ""},
    ),
    "leave, by name": (
        ["bob: /join den", "bob: /leave lobby"],
        {"ann": "* bob left #lobby\n", "bob": "* bob left #lobby\n"},
    ),
    "leave, back in another": (
        ["bob: /join den", "bob: /leave den"],
        {"bob": "* bob left #den\n* you speak in #lobby\n", "ann": ""},
    ),
    "room": (["bob: /room"], {"bob": "* you speak in #lobby\n"}),
    "room, another": (
        ["bob: /join den", "bob: /room lobby", "bob: hi"],
        {"ann": "-> <bob> hi\n", "cat": "-> <bob> hi\n", "bob": ""},
    ),
    "room, not in it": (
        ["ann: /join den", "bob: /room den"],
        {"bob": "* #den: you are not in that room; /join it\n"},
    ),
    "rooms": (
        ["ann: /join den", "ann: /topic tea", "bob: /rooms"],
        {"bob": "* #lobby* 3 people\n* #den 1 person: tea\n"},
    ),
    "who": (["bob: /who"], {"bob": "* #lobby has 3 people: @ann bob guest3\n", "ann": ""}),
    "who, an operator": (
        ["bob: /away lunch", "ann: /who"],
        {
            "ann": "* #lobby has 3 people:\n"
            "* @ann is ann!lines@192.168.1.1\n"
            "* bob is bob!lines@192.168.1.1, away: lunch\n"
            "* guest3 is guest3!lines@192.168.1.1\n"
        },
    ),
    "msg": (["bob: /msg ann psst"], {"ann": "-> (bob) psst\n", "bob": "", "cat": ""}),
    "msg, away": (
        ["ann: /away lunch", "bob: /msg ann psst"],
        {"ann": "-> (bob) psst\n", "bob": "* ann is away: lunch\n"},
    ),
    "msg, deaf to it": (
        ["bob: /msg guest3 psst"],
        {"cat": "", "bob": "* guest3: sees no private messages\n"},
    ),
    "msg, nobody": (["bob: /msg dan psst"], {"bob": "* dan: nobody has that nick\n"}),
    "msg, nothing": (["bob: /msg ann"], {"bob": "* usage: /msg NICK TEXT\n"}),
    "me": (
        ["bob: /me waves"],
        {"ann": "-> * bob waves\n", "cat": "-> * bob waves\n", "bob": ""},
    ),
    "topic": (
        ["ann: /topic tea \x1b[2J"],
        {"bob": "* ann set the topic of #lobby: tea ^[[2J\n", "cat": ""},
    ),
    "topic, shown": (["ann: /topic tea", "bob: /topic"], {"bob": "* the topic of #lobby: tea\n"}),
    "topic, none": (
        ["ann: /topic tea", "ann: /topic -"],
        {"bob": "* ann removed the topic of #lobby\n"},
    ),
    "topic, locked": (
        ["bob: /topic milk"],
        {"bob": "* lobby: you are not an operator here\n", "ann": ""},
    ),
    "topic, too long": (
        [f"ann: /topic {'x' * 391}"],
        {"ann": "* that is longer than 390 bytes\n", "bob": ""},
    ),
    "history": (
        ["cat: one", "bob: /me waves", "bob: /history 1"],
        {"bob": "* the history of #lobby:\n-> [1970-01-01 00:00Z] * bob waves\n"},
    ),
    "history, of who has no nick": (
        ["cat: one", "bob: /history"],
        {"bob": "* the history of #lobby:\n-> [1970-01-01 00:00Z] <guest3> one\n"},
    ),
    "history, none": (["bob: /history"], {"bob": "* there is no history of #lobby\n"}),
    "history, no number": (["bob: /history -1"], {"bob": "* usage: /history [N]\n"}),
    "away": (["bob: /away lunch"], {"bob": "* you are away\n", "ann": "* bob is away: lunch\n"}),
    "away, back": (
        ["bob: /away lunch", "bob: /away"],
        {"bob": "* you are back\n", "ann": "* bob is back\n"},
    ),
    "login": (
        ["bob: /login bob secret"],
        {"bob": "* bob: there are no accounts here\n", "ann": ""},
    ),
    "login, asked": (
        ["bob: /login bob", "bob: /quit"],
        {"bob": "* bob: there are no accounts here\n", "ann": ""},
    ),
    "login, no password": (
        ["bob: /login bob", "bob: "],
        {"bob": "* no password, no login\n", "ann": ""},
    ),
    "help, one": (["bob: /help nick"], {"bob": "* /nick NICK: be called NICK\n"}),
    "quit": (["bob: /quit good night"], {"ann": "* bob has gone: good night\n", "cat": ""}),
    "kick": (
        ["ann: /kick bob too loud"],
        {
            "bob": "* bob was kicked from #lobby by ann: too loud\n",
            "ann": "* bob was kicked from #lobby by ann: too loud\n",
            "cat": "",
        },
    ),
    "register": (["bob: /register a secret"], {"bob": "* no accounts can be made here\n"}),
    "register, asked": (["bob: /register"], {"bob": "* password of bob?\n", "ann": ""}),
    "register, no nick": (
        ["cat: /register a secret"],
        {"cat": "* an account has your nick: say /nick NICK first\n"},
    ),
    "rename": (
        ["ann: /join den", "bob: /join den", "ann: /rename hall too dark"],
        {
            "ann": "* ann renamed #den: it is #hall: too dark\n",
            "bob": "* ann renamed #den: it is #hall: too dark\n",
        },
    ),
    "renamed, and spoken in": (
        ["ann: /join den", "bob: /join den", "ann: /rename hall", "bob: and now?"],
        {"ann": "-> #hall <bob> and now?\n", "bob": ""},
    ),
    "rename, the lobby": (
        ["ann: /rename hall"],
        {"ann": "* lobby: this room keeps its name\n", "bob": ""},
    ),
    "kick, no operator": (
        ["bob: /kick ann"],
        {"bob": "* lobby: you are not an operator here\n", "ann": ""},
    ),
    "kicked, and speaks": (
        ["ann: /kick bob", "bob: hello?"],
        {"bob": "* not said: #lobby: you are not in that room; /join it\n", "ann": ""},
    ),
    "kicked without a command said, and speaks": (
        ["ann: /kick guest3", "cat: hello?"],
        {"cat": "* not said: #lobby: you are not in that room; /join it\n", "ann": ""},
    ),
    "ban": (
        ["ann: /ban *@192.0.2.*"],
        {"bob": "* ann banned *!*@192.0.2.* in #lobby\n", "cat": ""},
    ),
    "ban, again": (
        ["ann: /ban eve", "ann: /ban eve"],
        {"ann": "* nothing has changed: it was so already\n", "bob": ""},
    ),
    "ban, and speaks": (
        ["ann: /ban bob", "bob: hello?"],
        {"bob": "* not said: lobby: you may not speak here\n", "ann": ""},
    ),
    "unban": (
        ["ann: /ban eve", "ann: /unban eve"],
        {"bob": "* ann lifted the ban of eve!*@* in #lobby\n"},
    ),
    "bans": (
        ["ann: /ban eve", "ann: /mute guest3", "ann: /bans"],
        {
            "ann": "* banned: eve!*@*, by ann!lines@192.168.1.1\n"
            "* muted: guest3!*@*, by ann!lines@192.168.1.1\n"
        },
    ),
    "bans, no operator": (["bob: /bans"], {"bob": "* lobby: you are not an operator here\n"}),
    "bans, none": (["ann: /bans"], {"ann": "* nobody is banned or muted in #lobby\n"}),
    "mute": (
        ["ann: /mute guest3", "cat: hello?"],
        {"cat": "* not said: lobby: you may not speak here\n", "ann": "", "bob": ""},
    ),
    "unmute": (
        ["ann: /mute guest3", "ann: /unmute guest3", "cat: hello!"],
        {"cat": "", "ann": "-> <guest3> hello!\n", "bob": "-> <guest3> hello!\n"},
    ),
    "moderated": (
        ["ann: /moderated on", "bob: hello?"],
        {"bob": "* not said: lobby: the room is moderated\n", "ann": ""},
    ),
    "moderated, off": (
        ["ann: /moderated on", "ann: /moderated off"],
        {"bob": "* ann made it moderated no more in #lobby\n"},
    ),
    "moderated, neither": (["ann: /moderated"], {"ann": "* usage: /moderated on|off\n"}),
    "voice": (
        ["ann: /moderated on", "ann: /voice bob", "bob: hello!"],
        {"bob": "", "ann": "-> <bob> hello!\n"},
    ),
    "unvoice": (
        ["ann: /voice bob", "ann: /unvoice bob"],
        {"bob": "* ann took bob's voice in #lobby\n"},
    ),
    "op": (["ann: /op bob"], {"bob": "* ann made bob an operator in #lobby\n", "cat": ""}),
    "deop": (
        ["ann: /op bob", "bob: /deop ann"],
        {"ann": "* bob made ann an operator no more in #lobby\n"},
    ),
    "invite": (
        ["ann: /join den", "ann: /invite bob"],
        {"bob": "* ann invites you: /join #den\n", "ann": "* bob is invited to #den\n"},
    ),
    "invite, deaf to it": (
        ["ann: /join den", "ann: /invite guest3"],
        {"ann": "* guest3: may come in now, but cannot be told of it\n", "cat": ""},
    ),
    "invite-only": (
        ["ann: /join den", "ann: /invite-only on", "bob: /join den"],
        {"bob": "* den: only invited people may come in\n", "ann": ""},
    ),
    "invite-only, invited": (
        ["ann: /join den", "ann: /invite-only on", "ann: /invite bob", "bob: /join den"],
        {"bob": "* bob joined #den\n", "ann": "* bob joined #den\n"},
    ),
    "key": (["ann: /key tea"], {"bob": "* ann set a key in #lobby\n"}),
    "key, none": (["ann: /key tea", "ann: /key"], {"bob": "* ann removed the key in #lobby\n"}),
    "limit": (["ann: /limit 9"], {"bob": "* ann set the limit to 9 people in #lobby\n"}),
    "limit, none": (
        ["ann: /limit 9", "ann: /limit"],
        {"bob": "* ann removed the limit in #lobby\n"},
    ),
    "limit, no number": (["ann: /limit many"], {"ann": "* l: a limit is a number\n", "bob": ""}),
    "unlock": (
        ["ann: /unlock", "bob: /topic milk"],
        {"ann": "* bob set the topic of #lobby: milk\n"},
    ),
    "lock": (["ann: /unlock", "ann: /lock"], {"bob": "* ann locked the topic in #lobby\n"}),
    "no such command": (
        ["bob: /nikc robert"],
        {"bob": "* there is no command /nikc: did you mean /nick? A text begins with //\n"},
    ),
    "nothing like a command": (
        ["bob: /x\x1b[2J"],
        {"bob": "* there is no command /x^[[2j: /help lists them. A text begins with //\n"},
    ),
    "two slashes": (["bob: //etc is full"], {"ann": "-> <bob> /etc is full\n", "bob": ""}),
}


@pytest.mark.parametrize("case", SEEN)
def test_everybody_sees_what_a_command_does_and_nothing_else(case: str) -> None:
    typed, seen = SEEN[case]
    room = LineRoom()
    for line in typed:
        room.forget()
        room.type(line)
    assert {name: room.seen(name) for name in seen} == seen


def test_every_command_has_its_case_here() -> None:
    assert set(COMMANDS) - {name.partition(",")[0] for name in SEEN} == set()


def test_help_names_every_command_in_lines_that_fit() -> None:
    room = LineRoom()
    room.type("bob: /help")
    lines = room.seen("bob").splitlines()
    assert [line for line in lines if not line.startswith("* ")] == []
    text = "\n".join(lines)
    assert [name for name in COMMANDS if f"/{name}" not in text] == []
    assert len(lines) == len(COMMANDS) - len(MODERATION) + 2


def test_who_says_no_command_sees_nothing_but_what_others_say() -> None:
    room = LineRoom()
    for case, (typed, _) in SEEN.items():
        if case not in ("quit", "kicked without a command said, and speaks"):
            for line in typed:
                if line.startswith(("ann: /", "bob: /")) and "/me " not in line:
                    room.type(line)
    assert room.seen("cat") == ""


def test_what_a_command_is_not_leaves_a_plain_client_plain() -> None:
    room = LineRoom()
    room.type("cat: /usr is full")
    assert room.seen("cat").startswith("* there is no command /usr: ")
    room.forget()
    room.type("bob: /nick robert")
    assert room.seen("cat") == ""


def test_who_is_in_several_rooms_sees_which_it_is() -> None:
    room = LineRoom()
    room.type("bob: /join den")
    room.type("ann: /join den")
    room.forget()
    for line in ("cat: hello", "ann: tea", "ann: /me drinks"):
        room.type(line)
    assert room.seen("bob") == "-> #lobby <guest3> hello\n-> #den <ann> tea\n-> #den * ann drinks\n"
    room.type("bob: /leave lobby")
    room.forget()
    room.type("ann: milk")
    assert room.seen("bob") == "-> <ann> milk\n"


@given(st.text(alphabet="-><*()[]# \r\t\x0b\x1b\x85\u2028\u202e:ab", max_size=30))
@settings(max_examples=200, deadline=None)
def test_no_text_looks_like_a_line_of_the_server_or_anothers(text: str) -> None:
    room = LineRoom()
    room.forget()
    room.type(f"cat: {text}" if text[:1] != "/" else f"cat: /{text}")
    for name in ("ann", "bob"):
        (line,) = room.seen(name).splitlines()
        assert line.startswith("-> <guest3> ")
