"""One sum for all clients, pushed to each at its own rhythm."""

import struct

import pytest
from twisted.internet.task import Clock

from socketsuite.services.accumulator import AccumulatorFactory
from socketsuite.settings import SettingsError, settings_of
from tests.services.streams import FakeStream


def accumulator(**settings):
    clock = Clock()
    return clock, AccumulatorFactory(clock, **settings)


def client(factory):
    return FakeStream(factory.buildProtocol(None))


def sums(stream, code="<i"):
    return [value for (value,) in struct.iter_unpack(code, stream.taken())]


def send(stream, *values):
    stream.protocol.dataReceived(struct.pack(f"<{len(values)}i", *values))


def test_the_reference_run_sees_the_sums_of_the_lecture():
    clock, factory = accumulator()
    stream = client(factory)
    for n in range(30):
        clock.advance(1)  # a push that is due now comes first
        if n < 28:
            send(stream, n)
    assert sums(stream)[:9] == [1, 10, 28, 55, 91, 136, 190, 253, 325]


def test_several_integers_in_one_segment_and_one_over_many_all_count():
    clock, factory = accumulator()
    stream = client(factory)
    data = struct.pack("<4i", 1, 20, -300, 4000)
    stream.protocol.dataReceived(data[:9])
    for byte in data[9:]:
        stream.protocol.dataReceived(bytes([byte]))
    clock.advance(3)
    assert sums(stream) == [3721]


def test_each_client_is_told_everybodys_sum_at_its_own_rhythm():
    clock, factory = accumulator()
    early = client(factory)
    clock.advance(1)
    late = client(factory)
    send(early, 5)
    send(late, 7)
    clock.advance(2)
    assert (sums(early), sums(late)) == ([12], [])
    clock.advance(1)
    assert (sums(early), sums(late)) == ([], [12])


def test_the_rhythm_does_not_drift():
    clock, factory = accumulator(interval=0.1)
    stream = client(factory)
    pushed_at = []
    for _ in range(700):
        clock.advance(0.013)
        pushed_at += [clock.seconds()] * len(sums(stream))
    assert len(pushed_at) == 90
    late = [at - 0.1 * (k + 1) for k, at in enumerate(pushed_at)]
    assert max(late) < 0.0131
    assert min(late) > -1e-6


def test_no_rounding_makes_a_tick_come_twice():
    clock, factory = accumulator(interval=0.1)
    clock.advance(0.7)
    stream = client(factory)
    for _ in range(1000):
        (timer,) = clock.getDelayedCalls()
        clock.advance(timer.getTime() - clock.seconds())
    assert len(sums(stream)) == 1000
    assert clock.seconds() == pytest.approx(0.7 + 1000 * 0.1)


def test_missed_ticks_are_skipped_not_made_up_for():
    clock, factory = accumulator()
    stream = client(factory)
    clock.advance(10)
    assert len(sums(stream)) == 1
    clock.advance(1.9)
    assert sums(stream) == []
    clock.advance(0.1)
    assert len(sums(stream)) == 1


def test_a_closed_clients_timer_stops():
    clock, factory = accumulator()
    stream = client(factory)
    stream.gone()
    assert clock.getDelayedCalls() == []


def test_draining_closes_and_pushes_no_more():
    clock, factory = accumulator()
    stream = client(factory)
    stream.protocol.drain()
    clock.advance(10)
    assert stream.disconnecting
    assert stream.value() == b""


@pytest.mark.parametrize(
    ("overflow", "expected"), [("wrap", [-(2**31)]), ("saturate", [2**31 - 1]), ("close", [])]
)
def test_a_sum_that_does_not_fit_is_bent_as_asked_and_never_lost(overflow, expected):
    clock, factory = accumulator(overflow=overflow)
    stream = client(factory)
    send(stream, 2**31 - 1, 1)
    clock.advance(3)
    assert sums(stream) == expected
    assert stream.disconnecting == (overflow == "close")
    assert factory.total == 2**31


def test_64_bits_carry_what_32_cannot():
    clock, factory = accumulator(width=64, overflow="close")
    stream = client(factory)
    stream.protocol.dataReceived(struct.pack("<2q", 2**40, -1))
    clock.advance(3)
    assert sums(stream, "<q") == [2**40 - 1]


def test_the_width_is_32_or_64_and_nothing_else():
    (width,) = [item for item in settings_of(AccumulatorFactory) if item.name == "width"]
    assert [width.read(raw, "here") for raw in ("32", "64", 64)] == [32, 64, 64]
    for raw in ("16", "", "x", 32.0, True):
        with pytest.raises(SettingsError, match="32 or 64"):
            width.read(raw, "here")
