"""Limits of one host: how many connections, and how many new ones in a while."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from twisted.internet.task import Clock

from socketsuite.policies.hosts import HostLimits
from socketsuite.reasons import MAX_CONNECTIONS_PER_HOST as FULL
from socketsuite.reasons import MAX_RATE_PER_HOST as OFTEN
from socketsuite.reasons import Reason

HOST = "192.0.2.1"


@dataclass
class Door:
    """Callers, let in where the limits allow it."""

    connections: int = 0
    rate: int = 0
    window: float = 10.0
    remembered: int = 100
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.limits = HostLimits(
            self.connections,
            self.rate,
            self.window,
            self.clock.seconds,
            remembered=self.remembered,
        )

    def knock(self, host: str | None = HOST) -> Reason | None:
        reason = self.limits.refusal(host)
        if reason is None:
            self.limits.opened(host)
        return reason

    def visit(self, host: str = HOST) -> Reason | None:
        """Come and go at once."""
        reason = self.knock(host)
        if reason is None:
            self.limits.closed(host)
        return reason

    def let_in(self, callers: int) -> int:
        return sum(self.visit() is None for _ in range(callers))


def test_one_host_has_so_many_connections_and_gets_another_when_one_ends() -> None:
    policy = Door(connections=2)
    assert [policy.knock() for _ in range(3)] == [None, None, FULL]
    assert policy.knock("192.0.2.2") is None
    policy.limits.closed(HOST)
    assert [policy.knock() for _ in range(2)] == [None, FULL]


def test_an_ipv6_host_is_its_64_and_a_mapped_one_is_ipv4() -> None:
    policy = Door(connections=1)
    assert policy.knock("2001:db8::1") is None
    assert policy.knock("2001:db8::2") == FULL
    assert policy.knock("2001:db8:0:1::1") is None
    assert policy.knock("::ffff:192.0.2.1") is None
    assert policy.knock("192.0.2.1") == FULL


def test_a_caller_without_an_address_is_not_counted() -> None:
    policy = Door(connections=1, rate=1)
    assert [policy.knock(None) for _ in range(3)] == [None] * 3
    policy.limits.closed(None)
    assert len(policy.limits) == 0


def test_limits_of_zero_count_nothing() -> None:
    policy = Door()
    assert [policy.knock() for _ in range(100)] == [None] * 100
    assert not policy.limits
    assert len(policy.limits) == 0


# ── the rate ────────────────────────────────────────────────────────────────────────────


def test_the_whole_rate_may_come_at_once_and_no_more() -> None:
    policy = Door(rate=5)
    assert policy.let_in(20) == 5
    assert policy.visit() == OFTEN


def test_no_more_come_until_the_window_is_over() -> None:
    policy = Door(rate=5, window=10.0)
    policy.let_in(5)
    policy.clock.advance(9.999)
    assert policy.let_in(5) == 0
    policy.clock.advance(0.001)
    # All five of the window before still count.
    assert policy.let_in(5) == 0


def test_after_the_window_one_comes_each_fifth_of_it() -> None:
    policy = Door(rate=5, window=10.0)
    policy.let_in(5)
    policy.clock.advance(10.0)
    admitted = []
    for _ in range(5):
        policy.clock.advance(1.99)
        assert policy.visit() == OFTEN
        policy.clock.advance(0.01)
        admitted.append(policy.let_in(5))
    assert admitted == [1, 1, 1, 1, 1]


def test_after_two_silent_windows_a_host_is_as_new() -> None:
    policy = Door(rate=5, window=10.0)
    policy.let_in(5)
    policy.clock.advance(20.0)
    assert policy.let_in(20) == 5


def test_within_any_one_window_fewer_than_twice_the_rate_come() -> None:
    policy = Door(rate=10, window=10.0)
    times = []
    policy.visit()
    times.append(0.0)
    policy.clock.advance(9.9)
    for _ in range(400):
        times.extend([policy.clock.seconds()] * policy.let_in(3))
        policy.clock.advance(0.1)
    most = max(sum(t <= other < t + 10.0 for other in times) for t in times)
    assert 10 <= most < 20
    assert len(times) / 50.0 <= 10 / 10.0 * 1.2


def test_what_was_refused_does_not_count() -> None:
    policy = Door(rate=1, window=10.0)
    assert policy.let_in(1000) == 1
    policy.clock.advance(20.0)
    assert policy.let_in(1000) == 1


def test_open_connections_keep_a_hosts_windows() -> None:
    policy = Door(rate=2, window=10.0)
    assert [policy.knock() for _ in range(3)] == [None, None, OFTEN]
    policy.clock.advance(100.0)
    assert [policy.knock() for _ in range(3)] == [None, None, OFTEN]


# ── memory ──────────────────────────────────────────────────────────────────────────────


def addresses(number: int) -> list[str]:
    return [f"10.0.{n >> 8}.{n & 255}" for n in range(number)]


def test_without_a_rate_a_host_is_forgotten_with_its_last_connection() -> None:
    policy = Door(connections=5)
    policy.knock()
    policy.knock()
    policy.limits.closed(HOST)
    assert len(policy.limits) == 1
    policy.limits.closed(HOST)
    assert len(policy.limits) == 0


def test_with_a_rate_a_host_is_forgotten_when_its_windows_are_over() -> None:
    policy = Door(rate=5, window=10.0)
    for host in addresses(50):
        policy.visit(host)
    assert len(policy.limits) == 50
    policy.clock.advance(20.0)
    policy.visit()
    assert len(policy.limits) == 1


def test_a_flood_of_hosts_is_remembered_up_to_the_cap() -> None:
    policy = Door(rate=5, remembered=100)
    for host in addresses(5000):
        assert policy.visit(host) is None
        assert len(policy.limits) <= 100


def test_at_the_cap_the_longest_idle_is_forgotten_first() -> None:
    policy = Door(rate=1, remembered=3)
    for host in ("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"):
        policy.clock.advance(0.01)
        policy.visit(host)
    assert policy.limits.refusal("10.0.0.2") == OFTEN
    assert policy.limits.refusal("10.0.0.1") is None


def test_no_flood_makes_an_open_connection_uncounted() -> None:
    policy = Door(connections=1, rate=5, remembered=10)
    assert policy.knock() is None
    for host in addresses(100):
        policy.visit(host)
    assert policy.knock() == FULL


def test_a_close_that_was_never_opened_changes_nothing() -> None:
    policy = Door(connections=1)
    policy.limits.closed(HOST)
    assert [policy.knock() for _ in range(2)] == [None, FULL]


# ── changing them ───────────────────────────────────────────────────────────────────────


def test_limits_that_are_turned_on_count_who_is_here_already() -> None:
    policy = Door()
    policy.knock()
    policy.knock()
    policy.limits.limit(2, 0, 10.0, [HOST, HOST, None])
    assert policy.knock() == FULL
    policy.limits.closed(HOST)
    assert policy.knock() is None


@pytest.mark.parametrize("open_at_the_change", [True, False])
def test_a_changed_limit_keeps_what_the_rate_has_seen(open_at_the_change: bool) -> None:
    policy = Door(rate=3, window=10.0)
    for _ in range(3):
        policy.knock()
    if not open_at_the_change:
        for _ in range(3):
            policy.limits.closed(HOST)
    policy.clock.advance(5.0)
    policy.limits.limit(0, 4, 10.0, [HOST] * 3 if open_at_the_change else [])
    assert [policy.visit() for _ in range(2)] == [None, OFTEN]


def test_limits_that_are_turned_off_forget_everybody() -> None:
    policy = Door(connections=1, rate=1)
    policy.knock()
    policy.visit("192.0.2.2")
    policy.limits.limit(0, 0, 10.0, [HOST])
    assert len(policy.limits) == 0
    assert policy.knock() is None
