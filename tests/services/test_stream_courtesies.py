"""What services share: greetings and last words."""

import pytest
from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.task import Clock

from socketsuite.services.stream import LINGER, LingeringClose, greeting, with_port
from tests.services.streams import FakeStream

HOST = IPv6Address("TCP", "::1", 40000)


def test_the_port_is_filled_in_and_other_braces_stay():
    assert with_port("ECHO{port}: {x} {}", HOST) == b"ECHO40000: {x} {}"


def test_the_path_of_a_unix_socket_stands_for_the_port():
    assert with_port("<{port}>", UNIXAddress("/run/echo.sock")) == b"</run/echo.sock>"


def test_text_that_was_not_utf8_on_the_command_line_goes_as_typed():
    assert with_port("Сервер \udcff", HOST) == "Сервер ".encode() + b"\xff"


@pytest.mark.parametrize(
    ("banner", "said"), [("", b""), ("hello", b"hello\n"), ("hello\n", b"hello\n")]
)
def test_a_greeting_ends_its_line_once(banner, said):
    assert greeting(banner, HOST) == said


def said_farewell():
    clock = Clock()
    protocol = LingeringClose(clock)
    stream = FakeStream(protocol)
    protocol.close_with(b"bye\n")
    return clock, protocol, stream


def test_last_words_leave_the_reading_half_open():
    _, _, stream = said_farewell()
    assert stream.value() == b"bye\n"
    assert stream.half_closed
    assert not stream.disconnecting


def test_after_last_words_the_callers_fin_closes_and_no_timer_is_left():
    clock, protocol, stream = said_farewell()
    protocol.readConnectionLost()
    assert stream.disconnecting
    stream.gone()
    assert clock.getDelayedCalls() == []


def test_a_caller_that_never_closes_is_dropped_in_the_end():
    clock, _, stream = said_farewell()
    clock.advance(LINGER - 0.01)
    assert not stream.disconnected
    clock.advance(0.01)
    assert stream.disconnected
    stream.gone()
    assert clock.getDelayedCalls() == []
