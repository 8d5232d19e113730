"""The IRC frontend's capabilities over raw sockets: each does what it says, for its own alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from socketsuite.services.chat.irc.capabilities import CAPABILITIES, REGISTER
from socketsuite.testing import Daemon
from tests.daemons.irc_client import Caller, caller

Enter = Callable[..., Caller]


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("irc")
    ports = ("--port", "0", "--irc-port", "0")
    with Daemon(folder, "socketsuite-chat", *ports) as daemon:
        yield daemon


@pytest.fixture
def enter(chat: Daemon) -> Iterator[Enter]:
    """Let people in, into #tea; all go at the end."""
    with ExitStack() as stack:

        def enter(nick: str, *capabilities: str) -> Caller:
            one = stack.enter_context(caller(chat, nick, *capabilities))
            one.ask("JOIN #tea")
            return one

        yield enter


def test_what_is_offered_is_what_the_table_has(chat: Daemon) -> None:
    one = Caller(chat)
    assert set(one.offered()) == set(CAPABILITIES) - {"sasl", "sts", REGISTER}
    one.close()


def test_a_request_is_taken_whole_or_not_at_all(chat: Daemon) -> None:
    one = Caller(chat)
    assert re.search(
        r" CAP \* NAK :server-time no-such-thing$",
        one.ask("CAP REQ :server-time no-such-thing")[0],
    )
    assert one.ask("CAP LIST")[0].endswith(" CAP * LIST :")
    assert one.ask("CAP REQ :server-time batch")[0].endswith(" CAP * ACK :server-time batch")
    assert one.ask("CAP REQ -batch", "CAP LIST")[1].endswith(" CAP * LIST server-time")
    one.send("NICK anna", "USER a 0 * :a")
    assert not any(" 001 " in line for line in one.ask())
    one.send("CAP END")
    one.expect(" 001 anna ")
    one.close()


def test_messages_have_tags_for_who_wants_them(enter: Enter) -> None:
    plain, tagged = enter("plain"), enter("tagged", "message-tags", "server-time", "echo-message")
    plain.expect("tagged.* JOIN")
    tagged.send("@+draft/reply=x\\sy;private=1;+b PRIVMSG #tea :hi")
    echo = tagged.expect(
        r"^@(\S+) :tagged!\S+ PRIVMSG #tea hi$|^@(\S+) :tagged!\S+ PRIVMSG #tea :hi$"
    )
    tags = (echo[1] or echo[2]).split(";")
    assert tags[1:3] == ["+draft/reply=x\\sy", "+b"]
    assert re.fullmatch(r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", tags[0])
    assert tags[3].startswith("msgid=")
    assert plain.line() == ":tagged!~tagged@127.0.0.1 PRIVMSG #tea :hi"
    plain.send("PRIVMSG #tea :ho", "PRIVMSG #tea :ho")
    ids = {tagged.expect(r"msgid=(\S+) :plain")[1] for _ in range(2)}
    assert len(ids) == 2


def test_tags_alone_reach_who_knows_of_them(enter: Enter) -> None:
    plain, one, two = enter("plain"), enter("one", "message-tags"), enter("two", "message-tags")
    one.ask("@+typing=active TAGMSG #tea")
    assert re.search(r"^@\+typing=active;msgid=\S+ :one!\S+ TAGMSG #tea$", two.line())
    two.ask("@+typing=done TAGMSG one")
    one.expect(r"^@\+typing=done;msgid=\S+ :two!\S+ TAGMSG one$")
    assert not any("TAGMSG" in line for line in plain.ask())


def test_a_labelled_command_s_answer_has_the_label(enter: Enter) -> None:
    one = enter("one", "labeled-response", "batch", "echo-message", "message-tags")
    assert one.ask("@label=a PING x")[0].startswith("@label=a :")
    assert re.search(r"^@label=b :\S+ ACK$", one.ask("@label=b PONG x")[0])
    assert one.ask("@label=c PRIVMSG #tea :x")[0].startswith("@label=c;msgid=")
    lines = one.ask("@label=d WHOIS one")
    begin = re.search(r"^@label=d :\S+ BATCH \+(\w+) labeled-response$", lines[0])
    assert begin is not None
    assert all(line.startswith(f"@batch={begin[1]} :") for line in lines[1:-1])
    assert lines[-1].endswith(f" BATCH -{begin[1]}")
    assert one.ask("@label=e JOIN #new")[1].startswith("@batch=")
    assert one.ask("@label=f NICK uno")[0] == "@label=f :one!~one@127.0.0.1 NICK uno"
    assert one.ask("@label=g NONSENSE")[0].startswith("@label=g :")


NOTIFIED = [
    ("away-notify", "AWAY :at lunch", "AWAY :at lunch"),
    ("away-notify", "AWAY", "AWAY"),
    ("setname", "SETNAME :New Name", "SETNAME :New Name"),
    ("invite-notify", "INVITE guest #tea", "INVITE guest #tea"),
]


@pytest.mark.parametrize(("capability", "sent", "seen"), NOTIFIED)
def test_news_are_told_to_who_wants_them_alone(
    chat: Daemon, enter: Enter, capability: str, sent: str, seen: str
) -> None:
    with caller(chat, "guest"):
        actor, one, other = enter("actor"), enter("one", capability), enter("other")
        if sent == "AWAY":
            actor.ask("AWAY :x")
            one.expect("AWAY x")
        actor.ask(sent)
        assert one.ask()[-1] == f":actor!~actor@127.0.0.1 {seen}"
        assert not any(seen in line for line in other.ask())


def test_names_and_joins_show_more_to_who_wants_it(enter: Enter) -> None:
    first = enter("first", "extended-join")
    many = enter("many", "multi-prefix", "userhost-in-names", "draft/no-implicit-names")
    assert first.line() == ":many!~many@127.0.0.1 JOIN #tea * :Real many"
    first.ask("MODE #tea +v first")
    assert " :@+first!~first@127.0.0.1 many!~many@127.0.0.1" in many.ask("NAMES #tea")[1]
    assert " first H@+ " in many.ask("WHO #tea")[0]
    for name in ("no-implicit-names", "draft/no-implicit-names"):
        many.ask("CAP REQ :-draft/no-implicit-names", f"CAP REQ {name}")
        lines = many.ask(f"JOIN #other-{len(name)}")
        assert [line.split()[1] for line in lines] == ["JOIN"]
        many.ask(f"CAP REQ -{name}")


def test_who_is_monitored_is_heard_of_from_afar(chat: Daemon) -> None:
    names = ("extended-monitor", "away-notify", "setname")
    with caller(chat, "watcher", *names) as watcher, caller(chat, "plain") as plain:
        for one in (watcher, plain):
            assert re.search(" 731 .* :?Bird$", one.ask("MONITOR + Bird")[0])
        with caller(chat, "bird") as bird:
            for one in (watcher, plain):
                assert re.search(" 730 .* :?bird!~bird@127.0.0.1$", one.line())
            bird.ask("AWAY :gone")
            assert watcher.line() == ":bird!~bird@127.0.0.1 AWAY gone"
            assert len(plain.ask("MONITOR S", "MONITOR L")) == 3
            bird.ask("NICK BIRD")  # the same nick: nobody came or went
            assert plain.ask() == []
        assert re.search(" 731 .* :?BIRD$", watcher.line())
        plain.ask("MONITOR C")
        full = plain.ask(*(f"MONITOR + n{n}" for n in range(101)))
        assert re.search(r" 734 plain 100 n100 :", full[-1])


def test_a_capability_that_comes_later_is_obeyed_from_then(enter: Enter) -> None:
    one, two = enter("one"), enter("two")
    two.ask("PRIVMSG #tea :before")
    one.ask("CAP REQ :server-time")
    two.ask("PRIVMSG #tea :after")
    assert re.search("^@time=.* :?after$", one.line())
    one.ask("CAP REQ :-server-time")
    two.ask("PRIVMSG #tea :last")
    assert one.line().startswith(":two!")


def test_what_is_refused_is_told_in_standard_replies(enter: Enter) -> None:
    one = enter("one", "standard-replies")
    one.socket.sendall(b"PRIVMSG #tea :\xff\n")
    assert re.search(r"^:\S+ FAIL PRIVMSG INVALID_UTF8 :Messages", one.ask()[0])
    assert re.search(r"FAIL SETNAME INVALID_REALNAME :", one.ask("SETNAME :" + "x" * 121)[0])


def test_who_has_a_capability_knows_what_its_command_is_answered_by(enter: Enter) -> None:
    one = enter("one", "setname", "labeled-response", "batch")
    assert " FAIL SETNAME INVALID_REALNAME :" in one.ask("SETNAME :" + "x" * 121)[0]
    assert re.search(r" NOTICE one :MARKREAD: Missing", one.ask("MARKREAD")[0])
    one.socket.sendall(b"@label=u PRIVMSG #tea :\xff\n")
    assert re.search(r"^@label=u :\S+ FAIL PRIVMSG INVALID_UTF8 :Messages", one.ask()[0])


def test_what_one_says_to_oneself_is_told_twice_and_answered_once(enter: Enter) -> None:
    one = enter("one", "labeled-response", "batch", "echo-message", "message-tags")
    for sent in ("PRIVMSG one :hi", "NOTICE one :hi", "TAGMSG one"):
        told, answer = one.ask(f"@label=s;+x=y {sent}")
        assert answer == f"@label=s;{told[1:]}"


def test_a_list_for_who_knows_no_longer_one_is_one_line(chat: Daemon) -> None:
    one = Caller(chat)
    [line] = one.ask("CAP LS")
    assert re.search(r"^:\S+ CAP \* LS :account-notify ", line)
    assert "=" not in line
    one.close()


def test_a_bot_is_shown_as_one(enter: Enter) -> None:
    one, bot = enter("one", "message-tags"), enter("bot")
    bot.ask("MODE bot +B")
    assert any(" 335 one bot :" in line for line in one.ask("WHOIS bot"))
    assert " bot HB " in one.ask("WHO bot")[0]
    bot.ask("PRIVMSG #tea :beep")
    one.expect(r"^@bot;msgid=\S+ :bot!\S+ PRIVMSG #tea :?beep$")
