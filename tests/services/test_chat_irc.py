"""IRC on streams in memory: time, what is bounded, and what is rendered once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from socketsuite.services.chat.accounts import Book
from socketsuite.services.chat.chat import Chat, network_name, server_name
from socketsuite.services.chat.events import Message
from socketsuite.services.chat.irc.factory import REGISTRATION, IRCFactory
from socketsuite.services.chat.irc.numerics import NUMERICS, REFUSALS
from socketsuite.services.chat.irc.render import Renderers
from socketsuite.services.chat.motd import motd_lines
from socketsuite.wire.account_line import AccountLine
from tests.services.streams import FakeStream


class Server:
    """A server, and people on it."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.chat = Chat(self.clock)
        self.factory = IRCFactory(self.chat, self.clock, **settings)
        self.factory.doStart()

    def enter(self, nick: str, *lines: str) -> FakeStream:
        stream = FakeStream(self.factory.buildProtocol(None))
        said = ["CAP LS 302", *lines, "CAP END", f"NICK {nick}", "USER a 0 * :a", "JOIN #tea"]
        stream.protocol.dataReceived("".join(f"{line}\r\n" for line in said).encode())
        return stream

    def wait(self, seconds: float) -> None:
        self.clock.pump([1.0] * int(seconds))


def test_who_is_silent_is_asked_and_then_ended() -> None:
    server = Server(ping=40.0)
    anna, boris = server.enter("anna"), server.enter("boris")
    for stream in (anna, boris):
        stream.taken()
    server.wait(55)
    assert anna.taken() == boris.taken() == b"PING chat.localhost\r\n"
    boris.protocol.dataReceived(b"PONG chat.localhost\r\n")
    server.wait(39)
    assert b"ERROR :Closing link: Ping timeout: 80 seconds" in anna.taken()
    assert b":anna!~a@" in boris.taken()
    assert anna.half_closed
    server.factory.doStop()
    assert server.clock.getDelayedCalls() == []


def test_who_does_not_register_in_time_is_ended() -> None:
    server = Server()
    stream = FakeStream(server.factory.buildProtocol(None))
    stream.protocol.dataReceived(b"NICK anna\r\n")
    server.wait(REGISTRATION + 31)
    assert stream.taken() == b"ERROR :Closing link: Registration timed out\r\n"
    assert server.factory.server.unregistered == 0


def test_a_drain_says_why_and_lets_all_go() -> None:
    server = Server()
    anna = server.enter("anna")
    anna.taken()
    anna.protocol.drain()
    assert anna.taken() == b"ERROR :Closing link: the server stops\r\n"
    assert server.chat.hub.people == {}
    anna.protocol.dataReceived(b"PRIVMSG #tea :x\r\n")
    assert anna.taken() == b""


def test_a_room_s_message_is_rendered_once_for_all_who_see_it_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server()
    people = [server.enter(f"p{'abcdefghij'[n]}", f"CAP REQ {name}") for n, name in enumerate(
        ["server-time"] * 3 + ["echo-message"] * 3 + ["account-tag"] * 3
    )]  # fmt: skip
    renders = {one.protocol.person.render for one in people}
    assert len(renders) == 3
    speaker = server.enter("speaker")
    for one in people:
        one.taken()
    speaker.protocol.dataReceived(b"PRIVMSG #tea :hi\r\n")
    texts = {one.taken() for one in people}
    assert len(texts) == 2
    assert all(text.endswith(b":speaker!~a@192.168.1.1 PRIVMSG #tea :hi\r\n") for text in texts)


def test_lines_that_come_while_something_takes_its_time_wait_in_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server()
    anna = server.enter("anna", "CAP REQ :batch labeled-response")
    answer: Deferred[str | None] = Deferred()
    monkeypatch.setattr(server.chat, "check_operator", lambda *_: answer)
    monkeypatch.setattr(server.chat.logins.book, "operators", {"root": object()})
    anna.taken()
    anna.protocol.dataReceived(b"@label=x OPER root pw\r\nPING 1\r\n")
    assert (anna.taken(), anna.producerState) == (b"", "paused")
    answer.callback("root")
    assert anna.producerState == "producing"
    lines = anna.taken().split(b"\r\n")
    assert lines[0].startswith(b"@label=x :chat.localhost BATCH +")
    assert b" 381 anna " in lines[1]
    assert lines[-2] == b":chat.localhost PONG chat.localhost 1"


def test_who_goes_while_something_takes_its_time_is_waited_for_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server()
    anna = server.enter("anna")
    cancelled: list[object] = []
    answer: Deferred[str | None] = Deferred(cancelled.append)
    monkeypatch.setattr(server.chat, "check_operator", lambda *_: answer)
    monkeypatch.setattr(server.chat.logins.book, "operators", {"root": object()})
    anna.protocol.dataReceived(b"OPER root pw\r\n")
    anna.gone()
    assert cancelled == [answer]


def message(text: bytes) -> Message:
    return Message("id", 1, 0.0, "tea", "nc", "nc!lines@h", None, True, "message", text)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b"plain", [b"plain"]),
        (b"a\0b\x1b\xff", ["a^@b^[\N{REPLACEMENT CHARACTER}".encode()]),
        (b"\x01DCC SEND x 1 2\x01", []),
        ("ñ".encode() * 300, ["ñ".encode() * 242, "ñ".encode() * 58]),
    ],
    ids=["plain", "no text", "DCC", "long"],
)
def test_what_came_by_another_frontend_fits_into_irc(text: bytes, lines: list[bytes]) -> None:
    render = Renderers("here", lambda: 0.0, False).for_capabilities(frozenset())
    head = b":nc!lines@h PRIVMSG #tea :"
    wire = render.message(message(text))
    assert wire == b"".join(head + line + b"\r\n" for line in lines)
    assert all(len(line) <= 510 for line in wire.split(b"\r\n"))


def test_dcc_passes_where_the_setting_says_so() -> None:
    server = Server(dcc=True)
    anna, boris = server.enter("anna"), server.enter("boris")
    boris.taken()
    anna.protocol.dataReceived(b"PRIVMSG boris :\x01DCC CHAT chat 1 2\x01\r\n")
    assert b"\x01DCC CHAT chat 1 2\x01" in boris.taken()


def test_every_refusal_has_its_numeric() -> None:
    assert set(REFUSALS.values()) <= set(NUMERICS)


@pytest.mark.parametrize("name", ["", "a b", "irc:1", "-x", "a" * 64])
def test_a_server_s_name_is_a_host_s(name: str) -> None:
    with pytest.raises(ValueError):
        server_name(name)


@pytest.mark.parametrize("name", ["", "a b", "a" * 33, "x=y"])
def test_a_network_s_name_is_one_word(name: str) -> None:
    with pytest.raises(ValueError):
        network_name(name)


def test_a_message_of_the_day_that_cannot_be_read_is_none() -> None:
    assert motd_lines(None) == motd_lines(Path("/nowhere/at all")) == []


@pytest.mark.parametrize(("command", "at_once"), [("PING x", 50), ("WHO *", 1)])
def test_who_sends_much_at_once_takes_turns_with_others(command: str, at_once: int) -> None:
    server = Server()
    anna = server.enter("anna")
    server.clock.pump([0.0] * 3)
    anna.taken()
    anna.protocol.dataReceived(f"{command}\r\n".encode() * 120)
    word = b" PONG " if command.startswith("PING") else b" 315 "
    assert anna.taken().count(word) == at_once
    assert anna.producerState == "paused"
    anna.protocol.readConnectionLost()
    assert not anna.disconnecting
    server.clock.advance(0)
    assert anna.taken().count(word) == 120 - at_once
    assert anna.disconnecting


def test_whoever_goes_has_nothing_obeyed_any_more() -> None:
    server = Server()
    anna = server.enter("anna")
    anna.protocol.dataReceived(b"PRIVMSG #tea :x\r\n" * 120)
    anna.gone()
    server.clock.advance(0)
    assert server.chat.hub.speech.messages == 50


def told(stream: FakeStream, nick: str) -> list[bytes]:
    """Return what a client is told of capabilities."""
    head = f":chat.localhost CAP {nick} ".encode()
    return [line[len(head) :] for line in stream.taken().split(b"\r\n") if line.startswith(head)]


def test_who_wants_it_is_told_when_logging_in_becomes_possible() -> None:
    server = Server()
    anna, old = server.enter("anna"), FakeStream(server.factory.buildProtocol(None))
    old.protocol.dataReceived(b"NICK old\r\nUSER a 0 * :a\r\n")
    for one in (anna, old):
        one.taken()
    server.chat.logins.book = Book({"eve": AccountLine("eve", "hash")}, {})
    server.factory.reload_service()
    assert (told(anna, "anna"), old.taken()) == ([b"NEW sasl=PLAIN"], b"")
    anna.protocol.dataReceived(b"CAP REQ sasl\r\n")
    assert told(anna, "anna") == [b"ACK sasl"]
    server.factory.reload_service()
    assert told(anna, "anna") == []
    server.chat.logins.book = Book({}, {})
    server.factory.reload_service()
    assert told(anna, "anna") == [b"DEL sasl"]
    assert "sasl" not in anna.protocol.capabilities


def test_where_tls_is_and_for_how_long_is_told() -> None:
    server = Server(sts_port=6697, sts_duration=60.0)
    plain, secure, old = (FakeStream(server.factory.buildProtocol(None)) for _ in range(3))
    secure.getPeerCertificate = lambda: None  # type: ignore[attr-defined]
    for one in (plain, secure):
        one.protocol.dataReceived(b"CAP LS 302\r\nCAP REQ sts\r\n")
    old.protocol.dataReceived(b"CAP LS\r\n")
    assert b" sts=port=6697 " in plain.value()
    assert b" sts=duration=60 " in secure.value()
    assert b"CAP * NAK sts\r\n" in secure.value()
    assert b"sts" not in old.value()


def test_a_message_of_which_lines_were_dropped_is_not_said() -> None:
    server = Server()
    server.chat.flood.burst, server.chat.flood.rate = 4, 1.0
    anna = server.enter("anna", "CAP REQ :batch draft/multiline standard-replies")
    assert b"max-lines=4 " in anna.value()
    boris = server.enter("boris")
    server.wait(10)
    boris.taken()
    begin, line = b"BATCH +1 draft/multiline #tea\r\n", b"@batch=1 PRIVMSG #tea :x\r\n"
    end = b"BATCH -1\r\n"
    anna.protocol.dataReceived(begin + line * 4 + end)
    server.wait(10)
    assert boris.taken().count(b" PRIVMSG ") == 4
    anna.taken()
    anna.protocol.dataReceived(b"PRIVMSG #tea :y\r\n" * 5 + begin + line * 3 + end)
    server.wait(10)
    assert b" FAIL BATCH MULTILINE_INVALID :Lines of the batch came too fast\r\n" in anna.taken()
    assert boris.taken().count(b" PRIVMSG #tea :x") == 0


def test_a_message_that_is_not_ended_in_time_is_none() -> None:
    server = Server(ping=40.0)
    anna = server.enter("anna", "CAP REQ :batch draft/multiline standard-replies")
    anna.taken()
    anna.protocol.dataReceived(b"BATCH +1 draft/multiline #tea\r\n@batch=1 PRIVMSG #tea x\r\n")
    server.wait(29)
    assert anna.taken() == b""
    server.wait(11)
    assert b" FAIL BATCH TIMEOUT 1 :" in anna.taken()
    anna.protocol.dataReceived(b"@batch=1 PRIVMSG #tea x\r\nBATCH -1\r\n")
    assert (anna.taken(), server.chat.hub.speech.messages) == (b"", 0)


def test_who_says_too_much_waits_then_is_dropped_and_then_closed() -> None:
    server = Server()
    server.chat.flood.burst, server.chat.flood.rate = 3, 1.0
    anna = server.enter("anna")
    boris = server.enter("boris")
    server.wait(10)
    boris.taken()
    line = b"PRIVMSG #tea :x\r\n"
    anna.protocol.dataReceived(line * 5)
    assert boris.taken().count(b" PRIVMSG ") == 3
    assert anna.producerState == "paused"
    server.clock.advance(1)
    assert boris.taken().count(b" PRIVMSG ") == 1
    server.clock.advance(1)
    assert boris.taken().count(b" PRIVMSG ") == 1
    assert anna.producerState == "producing"
    server.wait(10)
    anna.taken()
    anna.protocol.dataReceived(line * 8)
    assert (
        anna.taken() == b":chat.localhost NOTICE anna :too fast, and dropped: 2 of your lines\r\n"
    )
    server.wait(10)
    anna.protocol.dataReceived(line * 12)
    assert anna.taken() == b"ERROR :Closing link: Excess flood\r\n"
