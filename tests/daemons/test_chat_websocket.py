"""The chat by WebSocket: JSON, lines and IRC, in the same rooms as everybody else."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from socketsuite.testing import Daemon, read_line
from tests.daemons.conftest import Start
from tests.support.accounts import account, accounts_file
from tests.support.web_people import SECONDS, WebPerson

ROOT = Path(__file__).parents[2]
WAYS_IN = ("--port", "0", "--web-port", "0", "--irc-port", "0")


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One chat for all tests that need nothing of their own."""
    folder = tmp_path_factory.mktemp("chat")
    accounts_file(folder, account("carol", "pencil"))
    accounts = ("--accounts", "accounts", "--register")
    daemon = Daemon(folder, "socketsuite-chat", *WAYS_IN, *accounts)
    try:
        yield daemon.wait_until_ready()
    finally:
        daemon.kill()


Enter = Callable[..., WebPerson]


@pytest.fixture
def person(chat: Daemon) -> Iterator[Enter]:
    """Let people in; all of them go after the test."""
    with contextlib.ExitStack() as people:
        yield lambda nick=None, **how: people.enter_context(WebPerson(port(chat), nick, **how))


def port(daemon: Daemon) -> int:
    return daemon.port(frontend="web")


def address(daemon: Daemon) -> str:
    return f"ws://127.0.0.1:{port(daemon)}/ws"


def speaking(protocol: str, daemon: Daemon) -> ClientConnection:
    return connect(address(daemon), subprotocols=[Subprotocol(protocol)])


def test_people_by_json_by_lines_and_by_irc_are_in_one_room(chat: Daemon, person: Enter) -> None:
    ann = person("ann")
    ann.done("join", room="lobby")
    with (
        chat.connect() as nc,
        speaking("lines", chat) as wscat,
        speaking("binary.ircv3.net", chat) as irc,
    ):
        assert "ann" in {ann.event("joined")["nick"] for _ in range(3)}
        for line in (b"NICK ian", b"USER ian 0 * :Ian", b"JOIN #lobby"):
            irc.send(line)
        assert ann.event("joined")["nick"] == "ian"
        said = ann.done("say", room="#lobby", text="hello, <b>all</b>")["message"]
        assert read_line(nc) == b"-> <ann> hello, <b>all</b>\n"
        assert wscat.recv(SECONDS) == "-> <ann> hello, <b>all</b>"
        while b"PRIVMSG #lobby" not in (line := bytes(irc.recv(SECONDS, decode=False))):
            pass
        assert line.endswith(b" PRIVMSG #lobby :hello, <b>all</b>")
        nc.sendall("привет \x1b[2J\n".encode())
        heard = ann.event("message")
        assert heard["text"] == "привет ^[[2J"
        assert heard["order"] == said["order"] + 1
        wscat.send("from wscat")
        assert ann.event("message")["text"] == "from wscat"
        irc.send(b"PRIVMSG #lobby :\x02bold\x02 and \x0304,01red")
        assert ann.event("message")["text"] == "bold and red"
        irc.send(b"PRIVMSG ann :only you")
        private = ann.event("message")
        assert (private["text"], private["to"], "room" in private) == ("only you", "ann", False)
    assert "ian" in {ann.event("quit")["nick"] for _ in range(3)}


def test_moderation_holds_and_everybody_is_told(person: Enter) -> None:
    ann, bob = person("ann"), person("bob")
    ann.done("join", room="den")
    assert bob.refused("kick", room="den", nick="ann") == "not_in_room"
    bob.done("join", room="den")
    assert bob.refused("topic", room="den", topic="mine") == "not_room_operator"
    ann.done("topic", room="den", topic="of *ours*")
    assert bob.event("topic")["topic"] == "of *ours*"
    changes = [{"mode": "mute", "on": True, "about": "bob"}, {"mode": "secret", "on": True}]
    assert len(ann.done("modes", room="den", changes=changes)["changes"]) == 2
    assert [one["mode"] for one in bob.event("modes")["changes"]] == ["mute", "secret"]
    assert bob.refused("say", room="den", text="mute") == "cannot_say"
    assert [one["about"] for one in ann.done("lists", room="den")["entries"]] == ["bob!*@*"]
    ann.done("kick", room="den", nick="bob", reason="enough")
    assert bob.event("kicked")["reason"] == "enough"
    assert bob.refused("who", room="den") == "no_such_room"
    assert "den" not in [room["name"] for room in bob.done("rooms")["rooms"]]
    ann.done("invite", room="den", nick="bob")
    assert bob.event("invited")["room"] == "den"
    ann.done("rename-room", room="den", new_room="#cave")
    assert ann.event("room-renamed")["new_room"] == "cave"
    members = bob.done("join", room="cave")["room"]["members"]
    assert [(one["nick"], one["status"]) for one in members] == [("ann", "operator"), ("bob", None)]


def test_who_comes_back_is_told_exactly_what_it_missed(person: Enter) -> None:
    ann = person("ann")
    ann.done("join", room="past")
    first, second, third = (
        ann.done("say", room="past", text=text)["message"] for text in ("one", "two", "three")
    )
    back = person().done
    back("hello", version=1)
    missed = back("join", room="past", after=first["id"])
    assert (missed["messages"], missed["gap"]) == ([second, third], False)
    short = person("eve").done("join", room="past", after=first["id"], limit=1)
    assert (short["messages"], short["gap"], short["more"]) == ([third], True, True)
    assert person("fay").done("join", room="past", after="never")["gap"] is True
    earlier = back("history", room="past", before=third["id"], limit=1)
    assert (earlier["messages"], earlier["more"]) == ([second], True)
    ann.done("redact", room="past", id=second["id"])
    assert [one["text"] for one in back("history", room="past")["messages"]] == ["one", "three"]


def test_an_account_is_proved_and_its_nick_is_nobody_elses(person: Enter) -> None:
    ann, guest = person(), person()
    assert ann.refused("hello", version=1, nick="carol") == "nick_reserved"
    assert ann.refused("hello", version=2) == "bad_request"
    assert ann.refused("hello", version=1, account="carol", password="pen") == "wrong_password"
    assert ann.done("hello", version=1, account="carol", password="pencil")["nick"] == "carol"
    assert guest.done("hello", version=1)["account"] is None
    assert guest.refused("nick", nick="carol") == "nick_in_use"
    assert guest.refused("login", account="carol", password="") == "wrong_password"
    assert guest.done("login", account="carol", password="pencil")["account"] == "carol"
    assert ann.done("whois", nick=guest.done("nick", nick="karl")["nick"])["account"] == "carol"


def test_an_account_is_made_of_ones_nick(person: Enter) -> None:
    dora, eve = person(), person("eve")
    assert dora.done("hello", version=1)["register"] is True
    assert dora.refused("register", password="good enough") == "bad_request"
    dora.done("nick", nick="dora")
    assert dora.refused("register", password="short") == "weak_password"
    assert dora.done("register", password="good enough")["account"] == "dora"
    assert dora.refused("register", password="good enough") == "account_exists"
    dora.done("nick", nick="dolly")
    assert eve.refused("nick", nick="dora") == "nick_reserved"
    assert eve.done("login", account="dora", password="good enough")["account"] == "dora"


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ("", "that is not JSON"),
        ("[" * 60000, "that is not JSON"),
        ("NaN", "that is not JSON"),
        ("9" * 5000, "that is not JSON"),
        ("[]", "a request is an object"),
        ("{}", "is no request: there are hello, "),
        ('{"type": "jion"}', "is no request: did you mean join?"),
        ('{"type": {}}', "is no request"),
        ('{"type": "join", "room": "x"}', "the first request is hello"),
        ('{"type": "ping", "request": 5}', "has to be a text"),
        ('{"type": "hello"}', "is missing"),
        ('{"type": "hello", "version": true}', "has to be an integer"),
        ('{"type": "hello", "version": 1, "nick": "a\\nb"}', "has a line break or NUL in it"),
        ('{"type": "hello", "version": 1, "nick": "\\ud800"}', "has half a surrogate pair"),
        ('{"type": "hello", "version": 1, "nick": "\\u202e"}', "a nick"),
        ('{"type": "hello", "version": 1, "colour": 1}', "is no field of this request"),
    ],
)
def test_what_is_no_request_is_refused_in_words_and_costs_nothing_else(
    chat: Daemon, sent: str, why: str
) -> None:
    with WebPerson(port(chat)) as ann:
        ann.socket.send(sent)
        refused = ann.read()
        assert refused["type"] == "refused"
        assert why in refused["text"]
        ann.done("hello", version=1)


def test_pages_of_other_origins_get_no_session(chat: Daemon) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        connect(address(chat), origin=Origin("https://evil.example"))
    own = f"http://127.0.0.1:{port(chat)}"
    with WebPerson(port(chat), origin=own) as ann:
        ann.done("hello", version=1)


def test_a_thousand_requests_at_once_are_answered_in_their_order(person: Enter) -> None:
    ann = person("ann")
    ann.done("join", room="bulk")
    for number in range(1500):
        said = {"type": "say", "room": "bulk", "text": str(number), "request": str(number)}
        ann.socket.send(json.dumps(said))
    answers = [ann.read() for _ in range(1500)]
    assert [one["message"]["text"] for one in answers] == [str(n) for n in range(1500)]


def test_nobody_guesses_the_servers_password_for_long(serve: Start) -> None:
    secret = {"SOCKETSUITE_CHAT_SERVER_PASSWORD": "sesame"}
    chat = serve("socketsuite-chat", "--web-port", "0", env=secret)
    with WebPerson(port(chat)) as ann, WebPerson(port(chat)) as bob:
        for guess in ({}, {}, {"server_password": "a"}, {"server_password": "b"}):
            assert ann.refused("hello", version=1, **guess) == "wrong_password"
        assert ann.refused("hello", version=1, server_password="c") == "wrong_password"
        assert "another one" in ann.event("closed")["reason"]
        with pytest.raises(ConnectionClosed):
            ann.read()
        bob.done("hello", version=1, server_password="sesame")


def test_at_a_drain_everybody_is_told_why_and_the_code_is_1001(serve: Start) -> None:
    chat = serve("socketsuite-chat", "--web-port", "0", "--web-ping", "0.2")
    with (
        WebPerson(port(chat), "ann") as ann,
        speaking("text.ircv3.net", chat) as irc,
    ):
        irc.send("NICK ian")
        chat.process.send_signal(signal.SIGTERM)
        assert "the server stops" in ann.event("closed")["reason"]
        with pytest.raises(ConnectionClosed) as closed:
            ann.read()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        assert "the server stops" in str(irc.recv(SECONDS))
        assert chat.process.wait(SECONDS) == 0


def test_too_much_is_slowed_then_refused_then_closed_and_others_hear_no_more(
    serve: Start,
) -> None:
    limits = ("--flood-burst", "3", "--flood-rate", "20")
    chat = serve("socketsuite-chat", "--web-port", "0", *limits)
    with WebPerson(port(chat), "ann") as ann, WebPerson(port(chat), "bob") as bob:
        bob.done("join", room="lobby")
        ann.done("join", room="lobby")
        chat.process.send_signal(signal.SIGSTOP)  # all of it is there when it reads again
        for number in range(40):
            said = {"type": "say", "room": "lobby", "text": str(number), "request": str(number)}
            ann.socket.send(json.dumps(said))
        chat.process.send_signal(signal.SIGCONT)
        seen = []
        with contextlib.suppress(ConnectionClosed):
            while True:
                seen.append(ann.read())
        dropped = [int(one["request"]) for one in seen if one.get("code") == "busy"]
        assert dropped == list(range(dropped[0], dropped[-1] + 1))
        assert seen[-1] == {"type": "closed", "reason": "too fast"}
        assert "flooding" in bob.event("quit")["reason"]


def test_the_documents_program_answers_who_speaks(chat: Daemon, person: Enter) -> None:
    page = (ROOT / "docs" / "chat-websocket.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", page, re.S)
    bob = person("bob")
    bob.done("join", room="lobby")
    source = program.replace("ws://localhost:8080/ws", address(chat))
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE) as running:
        while bob.event("joined")["nick"] != "ann":
            pass
        bob.done("say", room="lobby", text="anybody?")
        assert bob.event("message")["text"] == "hello, bob"
        assert running.communicate(timeout=SECONDS)[0] == b"bob: anybody?\n"
