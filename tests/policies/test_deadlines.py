"""Time limits of connections, found by a sweep."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from socketsuite.policies.deadlines import FIRST_BYTE, IDLE, WRITE, Deadlines
from tests.policies.sweeping import FakeTransport


class Room:
    """Open connections under limits, and a clock."""

    def __init__(self, **limits: float) -> None:
        self.clock = Clock()
        self.open: dict[FakeTransport, None] = {}
        self.deadlines = Deadlines(self.clock, self.open, **limits)
        self.deadlines.start()

    def connect(self, **attributes: int) -> FakeTransport:
        transport = FakeTransport(self.open)
        for name, value in attributes.items():
            setattr(transport, name, value)
        return transport

    def pass_time(self, seconds: float) -> None:
        """Let time pass, in steps that a reactor would take."""
        self.clock.pump([0.005] * round(seconds / 0.005))


def test_with_all_limits_off_nothing_runs() -> None:
    room = Room()
    assert room.deadlines.interval == 0
    assert room.clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("limits", "interval"),
    [
        ({"idle_timeout": 3600.0}, 1.0),
        ({"idle_timeout": 3600.0, "write_timeout": 10.0}, 0.625),
        ({"idle_timeout": 0.8}, 0.05),
        ({"first_byte_timeout": 0.05}, 0.05 / 3),
        ({"first_byte_timeout": 0.001}, 0.02),
    ],
)
def test_the_interval_suits_the_shortest_limit(limits: dict[str, float], interval: float) -> None:
    assert Room(**limits).deadlines.interval == pytest.approx(interval)


def test_a_stopped_sweep_leaves_no_timer() -> None:
    room = Room(idle_timeout=1.0)
    room.deadlines.stop()
    assert room.clock.getDelayedCalls() == []
    room.deadlines.stop()


# ── the first byte ──────────────────────────────────────────────────────────────────────


def test_a_peer_that_says_nothing_is_closed() -> None:
    room = Room(first_byte_timeout=1.0)
    silent = room.connect()
    room.pass_time(0.99)
    assert silent.closed is None
    room.pass_time(0.2)
    assert (silent.closed, silent.why) == ("closed", FIRST_BYTE)


def test_one_byte_is_enough_however_long_the_silence_after_it() -> None:
    room = Room(first_byte_timeout=1.0)
    speaker = room.connect()
    room.pass_time(0.9)
    speaker.bytes_in = 1
    room.pass_time(10.0)
    assert speaker.closed is None


def test_what_the_service_says_is_no_first_byte_of_the_peer() -> None:
    room = Room(first_byte_timeout=1.0)
    silent = room.connect(bytes_out=100)
    room.pass_time(1.2)
    assert silent.why == FIRST_BYTE


# ── idle ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("counter", ["bytes_in", "bytes_out"])
def test_a_byte_either_way_keeps_a_connection(counter: str) -> None:
    room = Room(idle_timeout=1.0)
    busy, idle = room.connect(), room.connect()
    for _ in range(10):
        room.pass_time(0.5)
        setattr(busy, counter, getattr(busy, counter) + 1)
    assert busy.closed is None
    assert (idle.closed, idle.why) == ("closed", IDLE)
    room.pass_time(0.95)
    assert busy.closed is None
    room.pass_time(0.25)
    assert busy.closed == "closed"


def test_an_idle_peer_with_bytes_unread_is_aborted() -> None:
    room = Room(idle_timeout=1.0)
    stalled = room.connect(queued=10)
    room.pass_time(1.2)
    assert (stalled.closed, stalled.why) == ("aborted", IDLE)


def test_an_idle_connection_that_will_not_close_politely_is_aborted() -> None:
    room = Room(idle_timeout=1.0)
    hanging = room.connect()
    hanging.hangs = True
    room.pass_time(1.1)
    assert hanging.disconnecting
    room.pass_time(0.2)
    assert hanging.closed == "aborted"


def test_the_first_reason_stays() -> None:
    room = Room(idle_timeout=1.0)
    leaving = room.connect()
    leaving.why = "drained"
    room.pass_time(1.2)
    assert (leaving.closed, leaving.why) == ("closed", "drained")


# ── writing and closing ─────────────────────────────────────────────────────────────────


def test_a_peer_that_takes_nothing_is_aborted() -> None:
    room = Room(write_timeout=1.0)
    stalled, empty = room.connect(queued=10), room.connect()
    room.pass_time(0.99)
    assert stalled.closed is None
    room.pass_time(0.2)
    assert (stalled.closed, stalled.why) == ("aborted", WRITE)
    assert empty.closed is None


def test_a_slow_reader_that_takes_some_is_kept() -> None:
    room = Room(write_timeout=1.0)
    slow = room.connect(queued=1000)
    for _ in range(10):
        room.pass_time(0.8)
        slow.bytes_out += 1
    assert slow.closed is None


def test_what_a_stalled_peer_says_does_not_keep_it() -> None:
    room = Room(write_timeout=1.0)
    stalled = room.connect(queued=10)
    for _ in range(12):
        room.pass_time(0.1)
        stalled.bytes_in += 1
    assert stalled.why == WRITE


def test_a_queue_that_was_empty_between_begins_anew() -> None:
    room = Room(write_timeout=1.0)
    reader = room.connect(queued=10)
    room.pass_time(0.9)
    reader.queued, reader.bytes_out = 0, 10
    room.pass_time(0.2)
    reader.queued = 10
    room.pass_time(0.9)
    assert reader.closed is None


def test_a_close_that_hangs_ends() -> None:
    room = Room(write_timeout=1.0)
    hanging, unread = room.connect(), room.connect(queued=10)
    hanging.hangs = True
    for transport in (hanging, unread):
        transport.loseConnection()
    room.pass_time(1.2)
    assert (hanging.closed, unread.closed) == ("aborted", "aborted")
    assert hanging.why == WRITE


def test_the_write_timeout_of_ten_seconds_strikes_within_one_second_of_it() -> None:
    room = Room(write_timeout=10.0)
    room.pass_time(0.63)  # just after a look
    peers = [room.connect(queued=10) for _ in range(1000)]
    for peer in peers:
        peer.loseConnection()
    room.pass_time(9.99)
    assert len(room.open) == 1000
    room.pass_time(1.0)
    assert room.open == {}


# ── the sweep itself ────────────────────────────────────────────────────────────────────


def test_time_in_which_the_daemon_was_stopped_does_not_count() -> None:
    room = Room(idle_timeout=10.0, first_byte_timeout=10.0, write_timeout=10.0)
    connection = room.connect(queued=10)
    room.pass_time(1.0)
    room.clock.advance(3600.0)
    assert connection.closed is None
    connection.bytes_in, connection.bytes_out = 1, 1
    room.pass_time(9.0)
    assert connection.closed is None


def test_a_failing_close_costs_nobody_else() -> None:
    room = Room(idle_timeout=1.0)

    class Broken(FakeTransport):
        def loseConnection(self) -> None:
            raise RuntimeError("broken")

    Broken(room.open)
    idle = room.connect()
    room.pass_time(1.2)
    assert idle.closed == "closed"


def test_nothing_is_kept_of_connections_that_are_gone() -> None:
    room = Room(idle_timeout=10.0, first_byte_timeout=10.0, write_timeout=10.0)
    gone = [room.connect(queued=1) for _ in range(10)]
    room.pass_time(1.0)
    for transport in gone:
        transport.abortConnection()
    room.pass_time(1.0)
    deadlines = room.deadlines
    assert [deadlines._still, deadlines._silent, deadlines._stuck] == [{}, {}, {}]


def test_limits_can_be_changed_turned_off_and_on() -> None:
    room = Room(idle_timeout=100.0)
    connection = room.connect()
    room.pass_time(5.0)
    off = {"first_byte_timeout": 0.0, "idle_timeout": 0.0, "write_timeout": 0.0}
    room.deadlines.limit(**off)
    assert room.clock.getDelayedCalls() == []
    room.deadlines.limit(**{**off, "idle_timeout": 1.0})
    room.pass_time(1.2)
    assert connection.why == IDLE


def test_a_change_after_the_stop_starts_nothing() -> None:
    room = Room(idle_timeout=100.0)
    room.deadlines.stop()
    room.deadlines.limit(first_byte_timeout=1.0, idle_timeout=1.0, write_timeout=1.0)
    assert room.clock.getDelayedCalls() == []
