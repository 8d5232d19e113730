"""The first services of the Internet: RFC 863, 864, 865, 867, 868."""

import os
import random
import time

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import FakeDatagramTransport

from socketsuite.services.small.chargen import ChargenFactory
from socketsuite.services.small.daytime import DaytimeFactory
from socketsuite.services.small.discard import DiscardFactory
from socketsuite.services.small.qotd import QUOTES, QotdFactory, parse_quotes
from socketsuite.services.small.time import TimeFactory, seconds_since_1900
from socketsuite.settings import SettingsError
from tests.services.streams import FakeStream

MOMENT = 1795244064.9  # 21 November 2026, 06:54:24 UTC
SENDER = ("192.0.2.1", 5353)


def answer_over_udp(factory, datagram=b""):
    protocol = factory.buildDatagramProtocol()
    transport = FakeDatagramTransport()
    protocol.makeConnection(transport)
    protocol.datagramReceived(datagram, SENDER)
    return transport.written


@pytest.fixture
def moscow(monkeypatch):
    monkeypatch.setenv("TZ", "MSK-3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_discard_answers_nothing():
    factory = DiscardFactory()
    stream = FakeStream(factory.buildProtocol(None))
    stream.protocol.dataReceived(b"anything")
    assert stream.writes == []
    assert answer_over_udp(factory, b"anything") == []


@pytest.mark.parametrize(
    ("factory", "answer"),
    [
        (DaytimeFactory(Clock(), lambda: MOMENT, utc=True), b"21 NOV 2026 06:54:24 UTC\r\n"),
        (TimeFactory(Clock(), lambda: 0.0), b"\x83\xaa\x7e\x80"),
    ],
)
def test_the_answer_comes_at_once_and_a_talkative_caller_still_gets_it(factory, answer):
    stream = FakeStream(factory.buildProtocol(None))
    stream.protocol.dataReceived(b"GET / HTTP/1.0\r\n")
    assert stream.value() == answer
    # Not closed yet: unread input would turn the close into a reset.
    assert (stream.half_closed, stream.disconnecting) == (True, False)
    stream.protocol.readConnectionLost()
    assert stream.disconnecting
    assert answer_over_udp(factory) == [(answer, SENDER)]


@pytest.mark.usefixtures("moscow")
def test_daytime_is_local_with_the_zones_name_unless_asked():
    factory = DaytimeFactory(Clock(), lambda: MOMENT)
    assert factory.line() == b"21 NOV 2026 09:54:24 MSK\r\n"


@pytest.mark.parametrize(
    ("unix", "wire"),
    [
        (0.99, 2_208_988_800),
        (-0.5, 2_208_988_799),
        (2_085_978_495.0, 2**32 - 1),
        (2_085_978_496.0, 0),  # 7 February 2036, 06:28:16 UTC
    ],
)
def test_time_counts_from_1900_and_wraps_in_2036(unix, wire):
    assert seconds_since_1900(unix) == wire.to_bytes(4, "big")


def test_chargen_writes_one_block_each_time_it_is_asked():
    stream = FakeStream(ChargenFactory().buildProtocol(None))
    assert (stream.producer, stream.streaming) == (stream.protocol, False)
    assert stream.writes == []
    for _ in range(3):
        stream.protocol.resumeProducing()
    assert len(stream.writes) == 3
    assert 4096 <= len(stream.writes[0]) <= 65536


def test_chargen_rotates_over_95_characters_across_blocks():
    stream = FakeStream(ChargenFactory().buildProtocol(None))
    stream.protocol.resumeProducing()
    stream.protocol.resumeProducing()
    lines = stream.value().split(b"\r\n")
    assert lines.pop() == b""
    alphabet = "".join(map(chr, range(32, 127)))
    for number, line in enumerate(lines):
        wanted = "".join(alphabet[(number + column) % 95] for column in range(72))
        assert line.decode() == wanted


@pytest.mark.parametrize("end", ["drain", "readConnectionLost"])
def test_chargen_stops_and_closes(end):
    stream = FakeStream(ChargenFactory().buildProtocol(None))
    getattr(stream.protocol, end)()
    assert stream.producer is None
    assert stream.disconnecting


def test_chargen_answers_each_datagram_with_one_of_up_to_512_characters():
    factory = ChargenFactory(random.Random(1))
    lengths = {len(answer_over_udp(factory)[0][0]) for _ in range(3000)}
    assert (min(lengths), max(lengths)) == (0, 512)


def started(**settings):
    factory = QotdFactory(Clock(), random.Random(1), **settings)
    factory.startFactory()
    return factory


def test_every_built_in_quote_comes_up_and_fits():
    factory = started()
    quotes = {factory.quote() for _ in range(1000)}
    assert len(quotes) == QUOTES.count("%\n") + 1 >= 12
    assert all(len(quote) < 512 and quote.endswith(b"\r\n") for quote in quotes)


def test_a_quote_is_said_over_tcp_and_over_udp_alone():
    stream = FakeStream(started().buildProtocol(None))
    assert stream.value() in parse_quotes(QUOTES)
    assert stream.half_closed
    never_started = QotdFactory(Clock())
    assert answer_over_udp(never_started)[0][0] in parse_quotes(QUOTES)


def test_a_file_of_quotes_is_cleaned_and_what_does_not_fit_is_skipped(tmp_path):
    path = tmp_path / "fortunes"
    fits, too_long = "é" * 254 + "x", "é" * 255
    text = f"one\x1b[1m\n  two\r\n%\r\n\n%\n{fits}\n%\n{too_long}\n%\n100 %\n"
    answers = parse_quotes(text)
    assert answers == [b"one[1m\r\n  two\r\n", f"{fits}\r\n".encode(), b"100 %\r\n"]
    assert len(answers[1]) == 511
    path.write_text(text)
    factory = started(quotes=path)
    assert {factory.quote() for _ in range(100)} == set(answers)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, os.strerror(2)),
        (lambda path: path.mkdir(), os.strerror(21)),
        (lambda path: path.write_text("%\n \n%\n"), "holds no quote"),
        (lambda path: path.write_text("x" * 600), "holds no quote"),
    ],
)
def test_a_useless_file_of_quotes_is_refused_by_name(tmp_path, make, words):
    path = tmp_path / "fortunes"
    make(path)
    with pytest.raises(SettingsError) as caught:
        QotdFactory(Clock(), quotes=path).startFactory()
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
