"""What may wait for peers that do not read."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from socketsuite.policies.queues import EVICTED, QueueSweep, SoftQueue, TotalQueue
from tests.policies.sweeping import FakeTransport


class Room:
    """Open connections under both limits, and a clock."""

    def __init__(self, total: int = 0, soft: int = 0, seconds: float = 8.0) -> None:
        self.clock = Clock()
        self.open: dict[FakeTransport, None] = {}
        self.looks = 0
        self.total = TotalQueue(total, self._connections)
        self.sweep = QueueSweep(self.clock, self._connections, self.total, SoftQueue(soft, seconds))
        self.sweep.start()

    def _connections(self) -> list[FakeTransport]:
        self.looks += 1
        return list(self.open)

    def connect(self, *queues: int) -> list[FakeTransport]:
        return [FakeTransport(self.open, queued) for queued in queues]

    def pass_time(self, seconds: float) -> None:
        self.clock.pump([0.01] * round(seconds / 0.01))


def whys(transports: list[FakeTransport]) -> list[str | None]:
    return [transport.why for transport in transports]


def test_with_both_limits_off_nothing_runs() -> None:
    room = Room()
    assert room.clock.getDelayedCalls() == []
    room.total.grew(*room.connect(1 << 40))
    assert room.looks == 0
    assert len(room.open) == 1


# ── the whole process ───────────────────────────────────────────────────────────────────


def test_the_largest_go_first_until_the_rest_fits() -> None:
    room = Room(total=100)
    peers = room.connect(10, 60, 40, 50, 0)
    room.pass_time(0.3)
    assert whys(peers) == [None, EVICTED, None, None, None]
    assert peers[1].closed == "aborted"
    peers[3].queued = 70
    room.pass_time(0.3)
    assert whys(peers) == [None, EVICTED, None, EVICTED, None]


def test_as_many_go_as_it_takes() -> None:
    room = Room(total=100)
    peers = room.connect(*[30] * 10)
    room.pass_time(0.3)
    assert len(room.open) == 3
    assert all(peer.why == EVICTED for peer in peers if peer.closed)


def test_the_limit_itself_is_allowed() -> None:
    room = Room(total=100)
    room.connect(60, 40)
    room.pass_time(1.0)
    assert len(room.open) == 2


def test_growth_past_the_limit_is_seen_before_the_next_look() -> None:
    room = Room(total=1000)
    peers = room.connect(*[0] * 10)
    room.pass_time(0.3)
    for _ in range(20):
        for peer in list(room.open):
            peer.queued += 10
            room.total.grew(peer)
            assert sum(each.queued for each in room.open) <= 1000 + 1000 // 16 + 10
    assert 0 < len(room.open) < len(peers)


def test_a_process_near_its_limit_does_not_count_at_each_write() -> None:
    room = Room(total=100_000)
    (large, small) = room.connect(99_900, 0)
    room.pass_time(0.3)
    before = room.looks
    for _ in range(1000):
        small.queued = 50
        room.total.grew(small)
        small.queued = 0
        room.total.grew(small)
    assert room.looks - before <= 1000 * 50 // (100_000 // 16) + 1
    assert large.closed is None


def test_one_that_is_on_its_way_out_does_not_cost_a_second_one() -> None:
    room = Room(total=100)

    class Lingering(FakeTransport):
        def abortConnection(self) -> None:
            """Keep its queue until the next turn, as Twisted's own transport does."""

    lingering = Lingering(room.open, 90)
    (peer,) = room.connect(20)
    for _ in range(5):
        peer.queued += 10
        room.total.grew(peer)
        room.total.grew(lingering)
    room.pass_time(1.0)
    assert lingering.why == EVICTED
    assert peer.why is None


def test_two_queues_of_one_length_are_no_trouble() -> None:
    room = Room(total=10)
    room.connect(8, 8, 8)
    room.pass_time(0.3)
    assert len(room.open) == 1


def test_nothing_is_kept_of_connections_that_are_gone() -> None:
    room = Room(total=100, soft=10)
    for peer in room.connect(40, 40, 40):
        room.total.grew(peer)
    room.pass_time(0.3)
    for peer in list(room.open):
        peer.abortConnection()
    room.pass_time(0.3)
    assert not room.total._told
    assert not room.total._evicted
    assert not room.sweep.soft._above


# ── one connection, for some time ───────────────────────────────────────────────────────


def test_a_queue_that_stays_above_the_soft_size_is_dropped() -> None:
    room = Room(soft=100, seconds=8.0)
    long, short = room.connect(101, 100)
    room.pass_time(7.9)
    assert long.closed is None
    room.pass_time(0.6)
    assert (long.closed, long.why) == ("aborted", "send queue full for 8 s")
    assert short.closed is None


def test_a_queue_that_was_short_meanwhile_begins_anew() -> None:
    room = Room(soft=100, seconds=8.0)
    (peer,) = room.connect(1000)
    room.pass_time(7.0)
    peer.queued = 100
    room.pass_time(0.3)
    peer.queued = 1000
    room.pass_time(7.9)
    assert peer.closed is None
    room.pass_time(0.6)
    assert peer.closed == "aborted"


@pytest.mark.parametrize(("seconds", "interval"), [(8.0, 0.25), (0.8, 0.1), (0.01, 0.02)])
def test_the_interval_suits_the_limit(seconds: float, interval: float) -> None:
    assert Room(soft=1, seconds=seconds).sweep.interval == pytest.approx(interval)


def test_limits_can_be_changed() -> None:
    room = Room()
    (peer,) = room.connect(1000)
    room.total.limit = 10
    room.sweep.start()
    room.pass_time(0.3)
    assert peer.why == EVICTED
    room.total.limit = 0
    room.sweep.start()
    assert room.clock.getDelayedCalls() == []


def test_what_the_soft_limit_drops_makes_room() -> None:
    room = Room(total=0, soft=10, seconds=1.0)
    old, new = room.connect(60, 5)
    room.pass_time(0.9)
    old_and_new = 70
    room.total.limit = old_and_new
    new.queued = 9
    room.pass_time(0.3)
    assert old.why == "send queue full for 1 s"
    assert new.why is None


def test_a_stopped_sweep_leaves_no_timer() -> None:
    room = Room(total=1)
    room.sweep.stop()
    assert room.clock.getDelayedCalls() == []
