"""What was said before, by IRC: CHATHISTORY with all its subcommands, and messages taken back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from socketsuite.testing import Daemon
from tests.daemons.irc_client import Caller, caller

NAMES = ("batch", "server-time", "message-tags", "echo-message", "draft/chathistory")
MORE = ("standard-replies", "draft/message-redaction", "draft/pre-away")


@dataclass
class Said:
    """Somebody who has said ``0`` to ``9`` in #old; with their ids and times."""

    anna: Caller
    ids: list[str]
    times: list[str]

    def history(self, words: str) -> str:
        """Return the texts of the batch that answers; ``m3`` is an id, ``t3`` a time."""
        words = re.sub(r"\bm(\d)\b", lambda found: f"msgid={self.ids[int(found[1])]}", words)
        words = re.sub(r"\bt(\d)\b", lambda found: f"timestamp={self.times[int(found[1])]}", words)
        lines = self.anna.ask(f"CHATHISTORY {words}")
        begin = re.search(r" BATCH \+(\w+) chathistory #old$", lines[0])
        if begin is None:
            return lines[0]
        assert all(line.startswith(f"@batch={begin[1]};time=") for line in lines[1:-1])
        assert lines[-1].endswith(f" BATCH -{begin[1]}")
        return "".join(line[-1] for line in lines[1:-1])


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("irc")
    with Daemon(folder, "socketsuite-chat", "--port", "0", "--irc-port", "0") as daemon:
        yield daemon


@pytest.fixture(scope="module")
def said(chat: Daemon) -> Iterator[Said]:
    with caller(chat, "anna", *NAMES, *MORE) as anna:
        anna.ask("JOIN #old")
        ids: list[str] = []
        times: list[str] = []
        for number in range(10):
            before = times[-1] if times else ""
            while True:
                [echo] = anna.ask(f"PRIVMSG #old {number}")
                found = re.search(r"^@time=(\S+?);msgid=(\S+) ", echo)
                assert found is not None
                if found[1] != before:
                    break
                # Two in one millisecond: times would not tell them apart.
                anna.ask(f"REDACT #old {found[2]}")
            times.append(found[1])
            ids.append(found[2])
        yield Said(anna, ids, times)


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        ("LATEST #old * 3", "789"),
        ("LATEST #OLD * 100", "0123456789"),
        ("LATEST #old * 100000", "0123456789"),
        ("LATEST #old m5 3", "789"),
        ("LATEST #old t7 3", "89"),
        ("BEFORE #old m5 3", "234"),
        ("BEFORE #old t2 9", "01"),
        ("AFTER #old m5 3", "678"),
        ("AFTER #old t8 9", "9"),
        ("AFTER #old m9 9", ""),
        ("AROUND #old m5 3", "456"),
        ("AROUND #old t5 2", "45"),
        ("AROUND #old m0 3", "012"),
        ("BETWEEN #old m2 m6 9", "345"),
        ("BETWEEN #old m2 m6 2", "34"),
        ("BETWEEN #old t6 m2 2", "45"),
    ],
)
def test_history_is_what_was_asked_for(said: Said, words: str, texts: str) -> None:
    assert said.history(words) == texts


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("LATEST #other * 3", "INVALID_TARGET LATEST #other"),
        ("LATEST anna * 3", "INVALID_TARGET LATEST anna"),
        ("LATEST #old *", "INVALID_PARAMS LATEST"),
        ("LATEST #old * 0", "INVALID_PARAMS LATEST 0"),
        ("LATEST #old * -1", "INVALID_PARAMS LATEST -1"),
        ("BEFORE #old x 3", "INVALID_PARAMS BEFORE x"),
        ("BEFORE #old timestamp=yesterday 3", "INVALID_PARAMS BEFORE timestamp=yesterday"),
        ("BEFORE #old msgid=x 3", "MESSAGE_ERROR BEFORE #old"),
        ("TARGETS x y 3", "INVALID_PARAMS TARGETS"),
        ("FOR #old 3", "INVALID_PARAMS FOR"),
    ],
)
def test_what_cannot_be_asked_is_refused(said: Said, words: str, code: str) -> None:
    assert f" FAIL CHATHISTORY {code} :" in said.history(words)


def test_targets_are_rooms_where_something_was_said_meanwhile(said: Said) -> None:
    early, late = ("timestamp=2020-01-01T00:00:00.000Z", "timestamp=2099-01-01T00:00:00.000Z")
    said.anna.ask("JOIN #empty")
    lines = said.anna.ask(f"CHATHISTORY TARGETS {late} {early} 9")
    assert lines[0].endswith(" draft/chathistory-targets")
    assert [line.partition(" CHATHISTORY ")[2] for line in lines[1:-1]] == [
        f"TARGETS #old {said.times[-1]}"
    ]
    assert len(said.anna.ask(f"CHATHISTORY TARGETS {early} {early} 9")) == 2


def test_who_is_not_inside_sees_no_history(chat: Daemon, said: Said) -> None:
    with caller(chat, "boris", *NAMES, *MORE) as boris:
        refused = " FAIL CHATHISTORY INVALID_TARGET LATEST #old :"
        assert refused in boris.ask("CHATHISTORY LATEST #old * 9")[0]
        # Who can ask for it is not shown it unasked.
        assert not any("PRIVMSG" in line for line in boris.ask("JOIN #old"))
        assert len(boris.ask("CHATHISTORY LATEST #old * 9")) == 11
    said.anna.expect("boris.* QUIT")


def test_a_message_is_taken_back_by_its_author_and_by_operators(chat: Daemon, said: Said) -> None:
    anna = said.anna
    with caller(chat, "boris", *NAMES, *MORE) as boris, caller(chat, "carla") as carla:
        for one in (boris, carla):
            one.ask("JOIN #old")
        boris.send("PRIVMSG #old :oops", "PRIVMSG #old :rude")
        number, other = (boris.expect("msgid=(\\S+) :boris") for _ in range(2))
        refused = f" FAIL REDACT REDACT_FORBIDDEN #old {said.ids[0]} :"
        assert refused in boris.ask(f"REDACT #old {said.ids[0]}")[0]
        assert " UNKNOWN_MSGID #old x :" in boris.ask("REDACT #old x")[0]
        assert " INVALID_TARGET anna :" in boris.ask("REDACT anna x")[0]
        boris.ask(f"REDACT #old {number[1]} :was wrong")
        anna.expect(f"msgid=\\S+ :boris!\\S+ REDACT #old {number[1]} :was wrong$")
        anna.ask(f"REDACT #old {other[1]}")
        boris.expect(f":anna!\\S+ REDACT #old {other[1]}$")
        assert not any("REDACT" in line for line in carla.ask())
    anna.ask()
    assert said.history("LATEST #old * 2") == "89"


def test_who_comes_in_away_is_away(chat: Daemon) -> None:
    one = Caller(chat)
    one.send("CAP LS 302", "CAP REQ draft/pre-away", "AWAY :gone", "NICK dora", "USER d 0 * :d")
    one.expect(" 306 dora| 306 [*] ")
    one.send("CAP END")
    one.expect(" (376|422) ")
    assert any(
        " 301 dora dora gone" in line or " 301 dora dora :gone" in line
        for line in one.ask("WHOIS dora")
    )
    one.close()


def test_the_last_message_of_a_room_is_shown_to_who_joins(chat: Daemon) -> None:
    with caller(chat, "dana") as dana, caller(chat, "boris", "server-time", "batch") as boris:
        dana.ask("JOIN #before")
        dana.ask("PRIVMSG #before :said before")
        lines = boris.ask("JOIN #before")
        assert re.search(r" BATCH \+\w+ chathistory #before$", lines[-3])
        assert re.search(
            r"^@batch=\w+;time=20\S+Z :dana!\S+ PRIVMSG #before :said before$", lines[-2]
        )
        with caller(chat, "carla") as carla:
            last = carla.ask("JOIN #before")[-1]
            assert re.search(r"PRIVMSG #before :\[\d\d:\d\d\] said before$", last)
