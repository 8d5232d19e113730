"""Messages of several lines by IRC: one for who knows of them, lines for all others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from socketsuite.testing import Daemon
from tests.daemons.irc_client import Caller, caller

BASE = ("batch", "message-tags", "server-time", "echo-message", "labeled-response")
MULTILINE = (*BASE, "standard-replies", "draft/multiline", "draft/chathistory")
SAID = [
    "BATCH +1 draft/multiline #tea",
    "@batch=1 PRIVMSG #tea :first",
    "@batch=1 PRIVMSG #tea :",
    "@batch=1 privmsg #TEA :how is ",
    "@batch=1;draft/multiline-concat PRIVMSG #tea :everyone?",
]


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("irc")
    with Daemon(folder, "socketsuite-chat", "--port", "0", "--irc-port", "0") as daemon:
        yield daemon


@pytest.fixture(scope="module")
def people(chat: Daemon) -> Iterator[dict[str, Caller]]:
    with ExitStack() as stack:
        found = {}
        for nick, names in (
            ("anna", MULTILINE),
            ("boris", MULTILINE),
            ("carla", BASE),
            ("dora", ()),
        ):
            found[nick] = stack.enter_context(caller(chat, nick, *names))
            found[nick].ask("JOIN #tea")
        for one in found.values():
            one.ask()
        yield found


def texts_of(lines: list[str], reference: str) -> list[tuple[str, str]]:
    """Return the tag of a line that goes on, and the text, of each line of a batch."""
    found = [
        re.fullmatch(rf"@batch={reference}(;draft/multiline-concat)? :\S+ PRIVMSG #tea :(.*)", line)
        for line in lines
    ]
    return [(one[1] or "", one[2]) for one in found if one is not None]


CUT = ";draft/multiline-concat"
WHOLE = [("", "first"), ("", ""), ("", "how is "), (CUT, "everyone?")]


def test_who_knows_of_it_sees_one_message_and_others_see_its_lines(
    people: dict[str, Caller],
) -> None:
    begin, *more = SAID
    echo = people["anna"].ask(f"@label=x;+draft/reply=y {begin}", *more, "BATCH -1")
    start = re.search(
        r"^@label=x;time=(\S+);\+draft/reply=y;msgid=(\S+) :anna!\S+"
        r" BATCH \+(\S+) draft/multiline #tea$",
        echo[0],
    )
    assert start is not None
    assert texts_of(echo[1:-1], start[3]) == WHOLE
    assert re.search(rf":anna!\S+ BATCH -{start[3]}$", echo[-1])
    assert len(echo) == 6
    seen = people["boris"].ask()
    assert seen[0] == echo[0].replace("label=x;", "")
    assert seen[1:] == echo[1:]
    tags = f"@time={start[1]};+draft/reply=y"
    assert [re.sub(" :anna.*#tea :?", " ", line) for line in people["carla"].ask()] == [
        f"{tags};msgid={start[2]} first",
        f"{tags} how is ",
        f"{tags} everyone?",
    ]
    assert [re.sub(".*#tea :?", "", line) for line in people["dora"].ask()] == [
        "first",
        "how is ",
        "everyone?",
    ]


def test_it_is_one_message_of_the_history_and_taken_back_as_one(people: dict[str, Caller]) -> None:
    anna = people["anna"]
    number = re.search("msgid=(\\S+)", anna.ask(*SAID, "BATCH -1")[0])
    assert number is not None
    outer, start, *lines, end, last = anna.ask("CHATHISTORY LATEST #tea * 1")
    reference = outer.split("+")[1].split()[0]
    own = re.search(
        rf"^@batch={reference};time=\S+;msgid={number[1]} :anna\S+ BATCH \+(\S+)", start
    )
    assert own is not None
    assert texts_of(lines, own[1]) == WHOLE
    assert end.endswith(f"BATCH -{own[1]}")
    assert last.endswith(f"BATCH -{reference}")
    labelled = anna.ask("@label=h CHATHISTORY LATEST #tea * 1")
    assert labelled[0].startswith("@label=h :")
    anna.ask(f"REDACT #tea {number[1]}")
    assert not any(own[1] in line for line in anna.ask("CHATHISTORY LATEST #tea * 100"))


def test_who_has_lines_sees_lines(chat: Daemon, people: dict[str, Caller]) -> None:
    with chat.connect(port=chat.port("tcp", frontend="lines")) as line_client:
        file = line_client.makefile("rb")
        line_client.sendall(b"/nick lena\n/join tea\n/who\n")
        while b" people: " not in file.readline():
            pass
        people["anna"].ask(*SAID, "BATCH -1")
        seen = [file.readline() for _ in range(3)]
        assert seen == [
            b"-> #tea <anna> first\n",
            b"-> #tea <anna> \n",
            b"-> #tea <anna> how is everyone?\n",
        ]
        line_client.sendall(b"/history 1\n")
        assert b"history" in file.readline()
        assert [file.readline().partition(b"] ")[2] for _ in seen] == [
            line.partition(b"#tea ")[2] for line in seen
        ]
        file.close()
    for one in people.values():
        one.expect("lena.* QUIT")


def test_a_private_message_has_several_lines_too(people: dict[str, Caller]) -> None:
    sent = [
        "BATCH +p draft/multiline boris",
        "@batch=p NOTICE boris :a",
        "@batch=p NOTICE boris :b",
    ]
    assert people["anna"].ask(*sent, "BATCH -p")[0].endswith(" draft/multiline boris")
    assert [line.split(" ", 2)[2] for line in people["boris"].ask()[-3:-1]] == [
        "NOTICE boris :a",
        "NOTICE boris :b",
    ]


WRONG = [
    (["@batch=2 PRIVMSG #tea :x"], "MULTILINE_INVALID :The line is not of the batch that is open"),
    (["PRIVMSG #tea :x"], "MULTILINE_INVALID :The line is not of"),
    (["@batch=1;draft/multiline-concat PRIVMSG #tea :"], "MULTILINE_INVALID :A line that goes on"),
    (["@batch=1 PRIVMSG #tea :", "BATCH -1"], "MULTILINE_INVALID :A message has a text"),
    (["BATCH -1"], "MULTILINE_INVALID :A message has a text"),
    (["BATCH -2"], "MULTILINE_INVALID :There is no such batch"),
    (["BATCH +2 draft/multiline #tea"], "MULTILINE_INVALID :Another batch has begun"),
    (["@batch=1 PRIVMSG #tea x", "@batch=1 NOTICE #tea x"], "MULTILINE_INVALID :A batch has lines"),
    (["@batch=1 TAGMSG #tea"], "MULTILINE_INVALID :A batch has lines"),
    (["@batch=1 PRIVMSG #tea :\x01VERSION\x01"], "MULTILINE_INVALID :A batch has no CTCP"),
    (["@batch=1 PRIVMSG #two :x"], "MULTILINE_INVALID_TARGET #tea #two :"),
    (["@batch=1 PRIVMSG #tea x"] * 101, "MULTILINE_MAX_LINES 100 :"),
    ([f"@batch=1 PRIVMSG #tea {'x' * 400}"] * 11, "MULTILINE_MAX_BYTES 4096 :"),
]


@pytest.mark.parametrize(("lines", "told"), WRONG)
def test_what_is_no_message_is_refused_once_and_nothing_of_it_is_said(
    people: dict[str, Caller], lines: list[str], told: str
) -> None:
    anna = people["anna"]
    people["dora"].ask()
    begin = "@label=w BATCH +1 draft/multiline #tea"
    rest = ["@batch=1 PRIVMSG #tea :rest", "BATCH -1", "@batch=1 PRIVMSG #tea :late"]
    answers = anna.ask(begin, *lines, *rest)
    assert answers[0].startswith("@label=w :")
    assert f" FAIL BATCH {told}" in answers[0]
    assert all(" FAIL BATCH MULTILINE_INVALID :" in one for one in answers[1:])
    assert people["dora"].ask() == []
    assert anna.ask("BATCH -2", *SAID, "BATCH -1")[-1].count("BATCH -") == 1
    assert len(people["dora"].ask()) == 3


def test_batches_are_for_who_has_asked_for_them(people: dict[str, Caller]) -> None:
    assert " 421 dora BATCH :" in people["dora"].ask("BATCH +1 draft/multiline #tea")[0]
    refused = people["anna"].ask("@label=k BATCH +1 chathistory #tea", SAID[1], "BATCH -1")
    assert len(refused) == 1
    assert refused[0].startswith("@label=k :")
    assert " FAIL BATCH MULTILINE_INVALID :" in refused[0]


def test_who_may_not_speak_is_told_so_with_the_label(people: dict[str, Caller]) -> None:
    one = people["anna"].ask(
        "@label=n BATCH +1 draft/multiline #none", "@batch=1 PRIVMSG #none x", "BATCH -1"
    )
    assert re.search(r"^@label=n :\S+ 403 anna #none :", one[0])
