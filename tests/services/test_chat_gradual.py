"""Answers of IRC that take several turns: what is in them, and what comes in between."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from socketsuite.services.chat.chat import Chat
from socketsuite.services.chat.irc.factory import IRCFactory
from tests.services.streams import FakeStream

_ROOMS = 30


class SlowClock(Clock):
    """A clock on which whoever asks for the time loses a millisecond, once it is *slow*."""

    slow = False

    def seconds(self) -> float:
        if self.slow:
            self.rightNow += 0.001
        return float(super().seconds())

    def turn(self) -> None:
        """Make the first call that is due."""
        call = self.calls.pop(0)
        call.called = 1
        call.func(*call.args, **call.kw)


class Scene:
    """Anna, who is in #tea and asks, Boris, and many rooms."""

    def __init__(self, *capabilities: str) -> None:
        self.clock = SlowClock()
        self.chat = Chat(self.clock)
        self.factory = IRCFactory(self.chat, self.clock)
        self.anna, self.boris = self.enter("anna", *capabilities), self.enter("boris")
        for number in range(_ROOMS):
            self.type(self.boris, f"JOIN #r{number}")
        self.anna.clear()
        self.clock.slow = True

    def enter(self, nick: str, *capabilities: str) -> FakeStream:
        protocol = self.factory.buildProtocol(None)
        stream = FakeStream(protocol)
        asked = [f"CAP REQ :{' '.join(capabilities)}", "CAP END"] if capabilities else []
        self.type(stream, *asked, f"NICK {nick}", "USER a 0 * :a", "JOIN #tea")
        return stream

    def type(self, stream: FakeStream, *lines: str) -> None:
        stream.protocol.dataReceived("".join(f"{line}\r\n" for line in lines).encode())


@pytest.mark.parametrize(
    ("command", "reply", "count", "end"),
    [
        ("LIST", "322", _ROOMS + 2, "323"),
        ("WHO *", "352", 2, "315"),
        ("WHO #tea", "352", 2, "315"),
        ("NAMES " + ",".join(f"#r{n}" for n in range(_ROOMS)), "366", _ROOMS, "366"),
        ("JOIN " + ",".join(f"#r{n}" for n in range(_ROOMS)), "366", _ROOMS, "366"),
    ],
)
def test_a_long_answer_comes_whole_and_what_is_asked_then_comes_after_it(
    command: str, reply: str, count: int, end: str
) -> None:
    scene = Scene()
    scene.type(scene.anna, command, "PING after")
    turns = 0
    while scene.anna.producerState == "paused":
        assert b"PONG" not in scene.anna.value()
        scene.clock.turn()
        turns += 1
    assert turns > 0
    words = [line.split(" ")[1] for line in scene.anna.taken().decode().splitlines()]
    assert words.count(reply) == count
    assert words[-1] == "PONG"
    assert [word for word in words if word in (reply, end)][-1] == end


def test_others_have_their_turn_while_a_long_answer_is_given() -> None:
    scene = Scene()
    scene.type(scene.anna, "LIST")
    assert b" 323 " not in scene.anna.value()
    scene.clock.slow = False
    scene.type(scene.boris, "PRIVMSG #tea :in between", "PART #r29")
    while scene.anna.producerState == "paused":
        scene.clock.turn()
    told = scene.anna.taken().decode()
    assert told.index("in between") < told.index(" 323 ")
    assert "#r29 " not in told  # it was left before the list came to it


def test_an_answer_with_a_label_goes_out_as_a_whole_and_others_are_heard_after_it() -> None:
    scene = Scene("batch", "labeled-response")
    scene.type(scene.anna, "@label=x LIST")
    assert scene.anna.value() == b""
    scene.type(scene.boris, "PRIVMSG #tea :in between")
    assert scene.anna.value() == b""
    while scene.anna.producerState == "paused":
        scene.clock.turn()
    first, *lines = scene.anna.taken().decode().splitlines()
    reference = first.split(" ")[3]
    assert first == f"@label=x :chat.localhost BATCH {reference} labeled-response"
    own = [line for line in lines if line.startswith(f"@batch={reference[1:]} ")]
    assert len(own) == _ROOMS + 4
    assert lines[len(own)] == f":chat.localhost BATCH -{reference[1:]}"
    assert lines[len(own) + 1 :] == [":boris!~a@192.168.1.1 PRIVMSG #tea :in between"]


def test_who_goes_or_is_put_out_while_an_answer_is_given_is_told_no_more() -> None:
    scene = Scene()
    scene.type(scene.anna, "LIST")
    scene.anna.gone()
    assert not [call for call in scene.clock.getDelayedCalls() if call.active()]
    scene = Scene("batch", "labeled-response")
    scene.type(scene.anna, "@label=x LIST")
    scene.chat.hub.people["anna"].close("out with you")
    scene.clock.turn()
    assert scene.anna.taken() == b"ERROR :Closing link: out with you\r\n"
