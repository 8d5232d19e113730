"""Peers that do not take what is sent to them."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock

from socketsuite.policies.settings import LimitSettings
from socketsuite.policies.slow_consumers import SlowConsumers, TotalQueue
from socketsuite.reasons import SEND_QUEUE_FULL, TOTAL_SEND_QUEUE_FULL, WRITE_TIMEOUT, Reason


class Transport:
    """What a look sees of a transport."""

    def __init__(self, readers: SlowConsumers) -> None:
        self.readers = readers
        self.queued = 0
        self.disconnecting = 0
        self.producer: Any = None
        self.bytes_out = 0
        self.why: Reason | None = None

    def abort(self, why: Reason) -> None:
        self.why = self.why or why
        self.readers.behind.pop(self, None)  # type: ignore[call-overload]

    def queue(self, count: int) -> None:
        self.queued = count
        self.readers.grown(self)  # type: ignore[arg-type]


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(clock: Any, total: TotalQueue | None = None, **limits: Any) -> SlowConsumers:
    return SlowConsumers(clock, LimitSettings(**limits), total or TotalQueue(0))


def advance(clock: Clock, seconds: float) -> None:
    clock.pump([0.05] * round(seconds / 0.05))


def test_nothing_runs_while_everybody_reads(clock: Clock) -> None:
    readers = make(clock)
    assert clock.getDelayedCalls() == []
    transport = Transport(readers)
    transport.queue(10)
    assert clock.getDelayedCalls() != []
    transport.queued = 0
    advance(clock, 1)
    assert clock.getDelayedCalls() == []
    assert readers.behind == {}


def test_who_takes_nothing_is_dropped_after_the_write_timeout(clock: Clock) -> None:
    stuck, slow = (Transport(make(clock, write_timeout=2.0)) for _ in range(2))
    stuck.queue(10)
    slow.queue(10)
    for _ in range(5):
        advance(clock, 0.5)
        slow.bytes_out += 1
    assert stuck.why == WRITE_TIMEOUT
    assert slow.why is None
    advance(clock, 2.5)
    assert slow.why == WRITE_TIMEOUT


def test_a_write_timeout_of_0_is_never(clock: Clock) -> None:
    transport = Transport(make(clock, write_timeout=0.0))
    transport.queue(10)
    advance(clock, 100)
    assert transport.why is None


def test_a_queue_above_the_soft_limit_is_borne_for_some_seconds(clock: Clock) -> None:
    readers = make(clock, write_timeout=0.0, send_queue_soft=100, send_queue_seconds=3.0)
    above, returning = Transport(readers), Transport(readers)
    for each in (above, returning):
        each.queue(101)
    advance(clock, 2)
    returning.queued = 100
    advance(clock, 0.5)
    returning.queued = 101
    advance(clock, 1.5)
    assert above.why == SEND_QUEUE_FULL.because("above the soft limit for 3 s")
    assert returning.why is None


def test_the_largest_queues_of_all_services_go_first(clock: Clock) -> None:
    total = TotalQueue(100)
    first, second = make(clock, total), make(clock, total)
    small, large, middle = Transport(first), Transport(second), Transport(first)
    small.queue(20)
    large.queue(60)
    middle.queue(19)
    assert (small.why, large.why, middle.why) == (None, None, None)
    middle.queue(30)
    assert (small.why, large.why, middle.why) == (None, TOTAL_SEND_QUEUE_FULL, None)


def test_what_peers_have_taken_meanwhile_does_not_count(clock: Clock) -> None:
    total = TotalQueue(100)
    readers = make(clock, total)
    former, later = Transport(readers), Transport(readers)
    former.queue(90)
    former.queued = 0
    later.queue(90)
    assert (former.why, later.why) == (None, None)


def test_equal_queues_of_two_services_are_no_trouble(clock: Clock) -> None:
    total = TotalQueue(100)
    transports = [Transport(make(clock, total)) for _ in range(3)]
    for each in transports:
        each.queue(60)
    ended = [each.why for each in transports if each.why is not None]
    assert ended == [TOTAL_SEND_QUEUE_FULL] * 2


def test_a_close_that_hangs_is_dropped_too(clock: Clock) -> None:
    transport = Transport(make(clock, write_timeout=2.0))
    transport.disconnecting = 1
    transport.readers.grown(transport)  # type: ignore[arg-type]
    advance(clock, 2.5)
    assert transport.why == WRITE_TIMEOUT


def test_a_close_that_waits_for_the_services_producer_is_not_the_peers_fault(clock: Clock) -> None:
    transport = Transport(make(clock, write_timeout=2.0))
    transport.disconnecting, transport.producer = 1, object()
    transport.readers.grown(transport)  # type: ignore[arg-type]
    advance(clock, 2.5)
    assert transport.why is None
    assert clock.getDelayedCalls() == []


def test_a_large_answer_may_take_as_long_as_its_reader_needs(clock: Clock) -> None:
    readers = make(clock, write_timeout=0.0, send_queue_soft=100, send_queue_seconds=3.0)
    reading, trickling = Transport(readers), Transport(readers)
    for each in (reading, trickling):
        each.queue(10 << 20)
    for _ in range(10):
        reading.queued -= 20 << 10
        trickling.queued -= 1 << 10
        advance(clock, 3.1)
    assert reading.why is None
    assert trickling.why is not None
    assert trickling.why.label == "send_queue_full"


def test_a_process_that_was_held_up_drops_nobody_for_it(clock: Clock) -> None:
    transport = Transport(make(clock, write_timeout=2.0))
    transport.queue(10)
    advance(clock, 1)
    clock.advance(3600)
    assert transport.why is None
    transport.bytes_out += 1
    advance(clock, 1)
    assert transport.why is None
