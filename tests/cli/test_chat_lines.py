"""What a chat server's lines say, and what the client learns from them."""

from __future__ import annotations

import pytest

from socketsuite.cli.chat_lines import ChatLine, Lines, understood
from socketsuite.cli.chat_talk import Talk


@pytest.mark.parametrize(
    ("line", "kind", "room", "nick", "text"),
    [
        ("-> hello", "message", None, None, "hello"),
        ("-> ", "message", None, None, ""),
        ("-> <bob> hi <x> there", "message", None, "bob", "hi <x> there"),
        ("-> #den <bob> #no room", "message", "den", "bob", "#no room"),
        ("-> (bob) psst", "private", None, "bob", "psst"),
        ("-> * bob waves", "emote", None, "bob", "waves"),
        ("-> #den * bob waves", "emote", "den", "bob", "waves"),
        ("-> -bob- look", "notice", None, "bob", "look"),
        ("-> #den is nice", "message", None, None, "#den is nice"),
        ("-> <not a nick> hi", "message", None, None, "<not a nick> hi"),
        ("* bob joined #den", "server", None, None, "bob joined #den"),
        ("Welcome!", "text", None, None, "Welcome!"),
    ],
)
def test_a_line_is_understood(
    line: str, kind: str, room: str | None, nick: str | None, text: str
) -> None:
    told = understood(line.encode())
    assert (told.kind, told.room, told.nick, told.text) == (kind, room, nick, text)
    assert (told.whole, told.said) == (line, None)
    if nick is not None:
        assert line[told.at :].startswith(nick)


def test_a_line_of_history_tells_when_it_was_said() -> None:
    told = understood(b"-> [2026-11-21 14:02Z] <bob> hello")
    assert (told.said, told.nick, told.text) == ("2026-11-21T14:02Z", "bob", "hello")
    nobody_s = understood(b"-> [2026-11-21 14:02Z] hello")
    assert (nobody_s.said, nobody_s.text) == (None, "[2026-11-21 14:02Z] hello")


def test_no_part_of_a_line_commands_a_terminal() -> None:
    told = understood(b"-> <b\x1bob> \x1b]0;x\x07 \xff \xe2\x80\xae")
    for part in (told.whole, told.text, told.nick or ""):
        assert part.isprintable()


def test_lines_are_the_same_however_they_were_cut() -> None:
    data = b"-> one\r\n\n-> \xe2\x82\xac\n* three\nrest"
    whole = Lines()
    expected = [*whole.feed(data), *whole.end()]
    assert [line.whole for line in expected] == ["-> one", "", "-> €", "* three", "rest"]
    for at in range(len(data) + 1):
        lines = Lines()
        assert [*lines.feed(data[:at]), *lines.feed(data[at:]), *lines.end()] == expected


@pytest.mark.parametrize("chunk", [1000, 1 << 16, 1 << 18])
def test_a_line_without_an_end_comes_in_bounded_pieces(chunk: int) -> None:
    data = b"x" * 200_000 + b"\nend\n"
    lines = Lines()
    told = [one for at in range(0, len(data), chunk) for one in lines.feed(data[at : at + chunk])]
    assert [len(one.whole) for one in told] == [65536, 65536, 65536, 200_000 - 3 * 65536, 3]


def talk_after(*lines: str) -> Talk:
    """Return what is known after *lines*: those typed begin with ``>``, others have come."""
    talk = Talk()
    for line in lines:
        if line.startswith(">"):
            talk.typed(line[1:])
        else:
            talk.heard(understood(line.encode()))
    return talk


def test_a_nick_is_ours_once_the_server_says_so() -> None:
    assert talk_after(">/nick alice").nick is None
    assert talk_after(">/nick alice", "* alice: somebody has that nick").nick is None
    assert talk_after(">/nick alice", "-> guest1 is now alice").nick is None  # somebody's text
    talk = talk_after(">/nick alice", "* guest1 is now alice")
    assert talk.nick == "alice"
    talk.heard(understood(b"* alice is now guest7"))  # the server's doing
    assert (talk.nick, talk.again()) == ("guest7", ["/nick alice"])
    assert talk_after(">/nick alice", "* you are alice").nick == "alice"
    assert talk_after(">/away", "* you are back").nick is None


def test_rooms_follow_the_server_s_answers() -> None:
    talk = talk_after(">/join den secret", "* guest1 joined #den")
    assert (talk.room, talk.nick) == ("den", "guest1")
    assert talk_after(">/join den", "* #den: the key is another one").room is None
    for line in (b"* bob joined #attic", b"* you speak in #lobby"):
        talk.heard(understood(line))
    assert talk.room == "lobby"
    assert talk.again() == ["/join den secret", "/join lobby"]
    assert [talk.room, talk.nick] == [None, None]  # nobody has said so yet
    talk = talk_after(">/join one", ">/join two", "* guest1 joined #two", "* guest1 joined #one")
    assert talk.again() == ["/join two", "/join one"]


def test_a_nick_is_asked_for_again_until_it_is_ours_or_another_is_chosen() -> None:
    def lost_after(*said: str) -> str | None:
        talk = talk_after(">/nick alice", "* guest1 is now alice")
        assert talk.lost_nick is None
        talk.again()
        for line in said:
            if line.startswith(">"):
                talk.typed(line[1:])
            else:
                talk.heard(understood(line.encode()))
        return talk.lost_nick

    refused = "* alice: somebody has that nick"
    assert lost_after(">/nick alice", refused) == "alice"
    assert lost_after(">/nick alice", refused, ">/nick alice", "* guest2 is now alice") is None
    assert lost_after(">/nick alice", refused, ">/nick bob") is None
    assert lost_after(">/nick alice", "* alice: that nick is an account's; log in first") is None


def test_leaving_and_being_put_out_leave_no_room() -> None:
    inside = (">/join den", "* guest1 joined #den")
    left = talk_after(*inside, ">/leave", "* guest1 left #den")
    renamed = talk_after(*inside, "* carl renamed #den: it is #hall: too: dark")
    assert (renamed.room, renamed.again()) == ("hall", ["/join hall"])
    kicked = talk_after(*inside, "* guest1 was kicked from #den by bob: enough")
    other = talk_after(*inside, "* bob left #den", "* carl was kicked from #den by bob")
    assert [talk.room for talk in (left, kicked, other)] == ["", "", "den"]
    assert [talk.again() for talk in (left, kicked, other)] == [[], [], ["/join den"]]


def test_a_password_is_said_again_only_where_it_was_right() -> None:
    asked = (">/login bob", "* password of bob?")
    assert talk_after(*asked).asks_password
    assert talk_after(*asked).is_secret("hunter2")
    assert talk_after(">/login bob").is_secret("/login bob hunter2")
    assert not talk_after(">/login bob").is_secret("/login bob ")
    assert talk_after(*asked, ">no", "* bob: the password is another one").again() == []
    talk = talk_after(*asked, ">hunter2", "* you are logged in as bob", "* guest1 is now bob")
    assert (talk.nick, talk.asks_password) == ("bob", False)
    assert talk.again() == ["/login bob hunter2", "/nick bob"]


@pytest.mark.parametrize(
    ("before", "word", "found"),
    [
        ("", "", ["dora: ", "bob: ", "carl: "]),
        ("b", "b", ["bob: "]),
        ("hello B", "B", ["bob "]),
        ("/msg ca", "ca", ["carl "]),
        ("/jo", "/jo", ["/join "]),
        ("/join a", "a", ["attic "]),
        ("/join #", "#", ["#attic ", "#den "]),
        ("zzz", "zzz", []),
    ],
)
def test_tab_finds_what_was_seen(before: str, word: str, found: list[str]) -> None:
    talk = talk_after(
        ">/nick alice",
        "* guest1 is now alice",
        "* #lobby has 4 people: @alice +carl gone bob and 3 more",
        "* gone has gone: closed",
        "* #den 2 people: a topic",
        "* #attic* 1 person",
        "-> #attic <dora> hello",
    )
    assert talk.completions(before) == (word, found)


def test_what_is_remembered_is_bounded() -> None:
    talk = Talk()
    for number in range(2000):
        talk.heard(ChatLine("message", None, f"n{number}", "", ""))
    talk.heard(ChatLine("message", None, "x" * 1000, "", ""))
    _, found = talk.completions("")
    assert (len(found), found[0]) == (500, "n1999: ")
