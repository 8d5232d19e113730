"""The line door of the chat."""

import pytest
from twisted.internet.task import Clock

from socketsuite.services.chat.chat import Chat as Service
from socketsuite.services.chat.lines import LineChatFactory
from tests.services.streams import FakeStream


class Chat:
    """A room with *people* in it who came by the line door."""

    def __init__(self, people, **settings):
        self.clock = Clock()
        self.service = Service(self.clock)
        self.factory = LineChatFactory(self.service, self.clock, **settings)
        self.people = [self.enter() for _ in range(people)]

    def enter(self):
        return FakeStream(self.factory.buildProtocol(None))


def test_a_line_reaches_everybody_else_and_never_its_sender():
    a, b, c = Chat(3).people
    a.protocol.dataReceived(b"hello\r\n")
    assert (a.value(), b.value(), c.value()) == (b"", b"-> hello\n", b"-> hello\n")


def test_halves_of_two_peoples_lines_never_mix():
    a, b, c = Chat(3).people
    a.protocol.dataReceived(b"good mor")
    b.protocol.dataReceived(b"see y")
    a.protocol.dataReceived(b"ning\n")
    b.protocol.dataReceived(b"ou\n")
    assert c.value() == b"-> good morning\n-> see you\n"


def test_all_lines_of_one_chunk_go_out_in_one_write():
    a, b = Chat(2).people
    a.protocol.dataReceived(b"one\ntwo\n\nthree\nrest")
    assert b.writes == [b"-> one\n-> two\n-> \n-> three\n"]


def test_a_chunk_without_a_whole_line_writes_nothing():
    a, b = Chat(2).people
    a.protocol.dataReceived(b"not yet")
    assert b.writes == []


def test_nobody_commands_anothers_terminal():
    a, b = Chat(2).people
    a.protocol.dataReceived("\x1b[2J привет \u202e\n".encode())
    assert b.value() == "-> ^[[2J привет \\u202e\n".encode()


def test_the_banner_greets_each_caller():
    a, b = Chat(2, banner="Welcome").people
    a.protocol.dataReceived(b"hi\n")
    assert (a.value(), b.value()) == (b"Welcome\n", b"Welcome\n-> hi\n")


def test_an_unterminated_last_piece_is_dropped():
    chat = Chat(2)
    a, b = chat.people
    a.protocol.dataReceived(b"whole\nhalf")
    a.gone()
    assert b.value() == b"-> whole\n"
    assert len(chat.service.hub.lobby.members) == 1


@pytest.mark.parametrize("end", [b"\n", b""])
def test_an_overlong_line_closes_only_that_connection(end):
    chat = Chat(3, max_line=16)
    a, b, c = chat.people
    a.protocol.dataReceived(b"before\n" + b"x" * 17 + end)
    assert a.value() == b"line too long: the limit is 16 bytes\n"
    assert a.half_closed
    a.protocol.dataReceived(b"after\n")
    assert b.value() == b"-> before\n"
    assert not b.disconnecting
    b.protocol.dataReceived(b"still here\n")
    assert c.value() == b"-> before\n-> still here\n"
    assert a.value() == b"line too long: the limit is 16 bytes\n"
    a.protocol.readConnectionLost()
    assert a.disconnecting
    a.gone()
    assert chat.clock.getDelayedCalls() == []


def test_a_broken_transport_disturbs_nobody():
    a, broken, c = Chat(3).people

    def write(data):
        raise RuntimeError("broken")

    broken.write = write
    a.protocol.dataReceived(b"one\n")
    a.protocol.dataReceived(b"two\n")
    assert c.value() == b"-> one\n-> two\n"


def test_draining_leaves_the_room_and_closes():
    chat = Chat(2)
    a, b = chat.people
    b.protocol.drain()
    a.protocol.dataReceived(b"anybody?\n")
    assert b.disconnecting
    assert b.value() == b""


def test_the_callers_fin_closes():
    a, _ = Chat(2).people
    a.protocol.readConnectionLost()
    assert a.disconnecting


def test_ncat_names_fifty_who_are_there_and_counts_the_others():
    clock = Clock()
    factory = LineChatFactory(Service(clock), clock, ncat_chat=True)
    callers = [FakeStream(factory.buildProtocol(None)) for _ in range(53)]
    told = [stream.writes[1].decode() for stream in callers]  # after its own coming
    assert told[0] == "<announce> already connected: nobody.\n"
    assert [text.count(" as <") for text in told[49:]] == [49, 50, 50, 50]
    assert [text.rpartition(" and ")[2] for text in told[51:]] == ["1 more.\n", "2 more.\n"]
