"""Rooms that are given another name, by IRC and by lines: all of a room goes along."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from socketsuite.testing import Daemon
from tests.daemons.irc_client import caller

NAMES = ("batch", "draft/channel-rename", "draft/read-marker", "standard-replies", "setname")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("irc")


def daemon(folder: Path) -> Daemon:
    kept = ("--history-file", str(folder / "kept"))
    return Daemon(folder, "socketsuite-chat", "--port", "0", "--irc-port", "0", *kept)


@pytest.fixture(scope="module")
def chat(folder: Path) -> Iterator[Daemon]:
    with daemon(folder) as one:
        yield one


def test_who_knows_of_it_keeps_the_room_and_others_leave_and_join(chat: Daemon) -> None:
    with (
        caller(chat, "anna", *NAMES) as anna,
        caller(chat, "boris", "extended-join", "draft/read-marker") as boris,
    ):
        anna.ask("JOIN #one", "TOPIC #one :of one", "MODE #one +k key", "MODE #one +b evil")
        boris.ask("JOIN #one key", "MARKREAD #one timestamp=2026-01-01T00:00:00.000Z")
        anna.ask("PRIVMSG #one :before")
        boris.ask()
        assert anna.ask("RENAME #one #Two :a reason") == [
            ":anna!~anna@127.0.0.1 RENAME #one #Two :a reason"
        ]
        mask = ":boris!~boris@127.0.0.1"
        part, join, topic, topic_by, read, *names = boris.ask()
        assert (part, join) == (f"{mask} PART #one :a reason", f"{mask} JOIN #Two * :Real boris")
        assert [line.split()[1:4] for line in (topic, topic_by, *names)] == [
            [number, "boris", word]
            for number, word in (("332", "#Two"), ("333", "#Two"), ("353", "="), ("366", "#Two"))
        ]
        assert read.endswith(" MARKREAD #Two timestamp=2026-01-01T00:00:00.000Z")
        assert anna.ask("MODE #two")[0].endswith(" #Two +ntk key")
        assert " 367 anna #Two evil!*@*" in anna.ask("MODE #two b")[0]
        assert boris.ask("MARKREAD #two")[0].endswith("timestamp=2026-01-01T00:00:00.000Z")
        assert boris.ask("MARKREAD #one")[0].endswith(" #one *")
        boris.ask("PRIVMSG #two :heard")
        assert anna.line() == f"{mask} PRIVMSG #Two :heard"
        assert " 403 " in anna.ask("TOPIC #one")[0]
        assert " 319 boris anna @#Two" in "\n".join(boris.ask("WHOIS anna"))


REFUSED = [
    ("RENAME #mine #lobby", " FAIL RENAME CHANNEL_NAME_IN_USE #mine #lobby :"),
    ("RENAME #mine #left", " FAIL RENAME CHANNEL_NAME_IN_USE #mine #left :"),
    ("RENAME #mine mine", " FAIL RENAME CANNOT_RENAME #mine mine :"),
    ("RENAME #mine #a*b", " FAIL RENAME CANNOT_RENAME #mine #a*b :"),
    ("RENAME #mine #" + "x" * 65, " FAIL RENAME CANNOT_RENAME #mine #x"),
    ("RENAME #lobby #hall", " FAIL RENAME CANNOT_RENAME #lobby #hall :"),
    ("RENAME #theirs #ours", " 482 anna #theirs :"),
    ("RENAME #none #other", " 403 anna #none :"),
    ("RENAME #outside #other", " 442 anna #outside :"),
    ("RENAME #mine", " 461 anna RENAME :"),
]


def test_what_cannot_be_renamed_is_told_why(chat: Daemon) -> None:
    with caller(chat, "boris") as boris, caller(chat, "anna", *NAMES) as anna:
        boris.ask("JOIN #theirs,#outside,#left", "PRIVMSG #left :kept", "PART #left")
        anna.ask("JOIN #lobby", "JOIN #mine,#theirs")
        for sent, told in REFUSED:
            answer = anna.ask(sent)
            assert [told in line for line in answer] == [True], (sent, answer)
        assert anna.ask("RENAME #mine #MINE") == [":anna!~anna@127.0.0.1 RENAME #mine #MINE :"]
        assert " CANNOT_RENAME #MINE #again :it was given" in anna.ask("RENAME #mine #again")[0]


def test_who_has_lines_renames_rooms_and_goes_on_speaking_there(chat: Daemon) -> None:
    with caller(chat, "anna") as anna, chat.connect(port=chat.port("tcp", frontend="lines")) as one:
        file = one.makefile("rb")
        one.sendall(b"/nick lena\n/join tea\n")
        while b"joined #tea" not in file.readline():
            pass
        anna.ask("JOIN #tea")
        one.sendall(b"/rename coffee it is late\nhello\n/topic\n")
        anna.expect(":anna!\\S+ PART #tea :it is late$")
        anna.expect(":anna!\\S+ JOIN #coffee$")
        anna.expect(":lena!\\S+ PRIVMSG #coffee :hello$")
        assert b"anna joined #tea" in file.readline()
        assert file.readline() == b"* lena renamed #tea: it is #coffee: it is late\n"
        assert file.readline() == b"* the topic of #coffee: none\n"
        file.close()


def test_the_history_goes_along_and_outlives_the_process(tmp_path: Path) -> None:
    with daemon(tmp_path) as chat:
        with caller(chat, "anna", "batch") as anna:
            anna.ask("JOIN #first", "PRIVMSG #first :said before")
            anna.ask("RENAME #first #second", "PRIVMSG #second :said after")
            anna.ask("JOIN #first")
        assert chat.stop() == 0
    with daemon(tmp_path) as chat, caller(chat, "boris", "batch", "server-time") as boris:
        lines = boris.ask("JOIN #second")
        said = [line.rpartition(" PRIVMSG ")[2] for line in lines if " PRIVMSG " in line]
        assert said == ["#second :said before", "#second :said after"]
        assert not any(re.search(" BATCH ", line) for line in boris.ask("JOIN #first"))
