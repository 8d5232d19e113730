"""Whose datagrams are answered."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from socketsuite.policies.peers import DatagramPolicy
from socketsuite.reasons import (
    BROADCAST_SOURCE,
    MULTICAST_SOURCE,
    RATE,
    SOURCE_PORT,
    UNSPECIFIED_SOURCE,
    Reason,
)

HOST = "192.0.2.1"


def answered(policy: DatagramPolicy, datagrams: int, host: str = HOST, port: int = 5000) -> int:
    return sum(policy.refusal(host, port) is None for _ in range(datagrams))


@pytest.mark.parametrize(
    ("host", "port", "reason"),
    [
        (HOST, 0, SOURCE_PORT),
        (HOST, 7, SOURCE_PORT),
        (HOST, 1023, SOURCE_PORT),
        (HOST, 1024, None),
        (HOST, 2048, None),
        (HOST, 2049, SOURCE_PORT),
        (HOST, 2050, None),
        (HOST, 65535, None),
        ("223.255.255.255", 5000, None),
        ("224.0.0.0", 5000, MULTICAST_SOURCE),
        ("239.255.255.255", 5000, MULTICAST_SOURCE),
        ("::ffff:224.0.0.1", 5000, MULTICAST_SOURCE),
        ("240.0.0.1", 5000, None),
        ("ff02::1%eth0", 5000, MULTICAST_SOURCE),
        ("fe80::1%eth0", 5000, None),
        ("255.255.255.255", 5000, BROADCAST_SOURCE),
        ("::ffff:255.255.255.255", 5000, BROADCAST_SOURCE),
        ("10.0.0.255", 5000, None),
        ("0.0.0.0", 5000, UNSPECIFIED_SOURCE),
        ("::", 5000, UNSPECIFIED_SOURCE),
        ("::1", 5000, None),
    ],
)
@pytest.mark.parametrize("rate", [0, 1000])
def test_who_is_answered(host: str, port: int, reason: Reason | None, rate: int) -> None:
    policy = DatagramPolicy(rate, Clock().seconds)
    # Known or not makes no difference.
    assert [policy.refusal(host, port) for _ in range(3)] == [reason] * 3


def test_any_port_but_0_may_be_let_in_and_what_no_host_sends_from_is_not() -> None:
    policy = DatagramPolicy(2, Clock().seconds, any_port=True)
    assert [policy.refusal(HOST, port) for port in (0, 1, 53)] == [SOURCE_PORT, None, None]
    assert policy.refusal(HOST, 2049) == RATE
    for host, reason in (
        ("224.0.0.1", MULTICAST_SOURCE),
        ("255.255.255.255", BROADCAST_SOURCE),
        ("::", UNSPECIFIED_SOURCE),
    ):
        assert policy.refusal(host, 53) == reason
    policy.limit(0, any_port=False)
    assert [policy.refusal(HOST, port) for port in (53, 2049)] == [SOURCE_PORT] * 2
    policy.limit(0, any_port=True)
    assert [policy.refusal(HOST, port) for port in (53, 2049)] == [None] * 2


@pytest.mark.parametrize("rate", [1, 7, 1000])
def test_one_seconds_worth_may_come_at_once(rate: int) -> None:
    assert answered(DatagramPolicy(rate, Clock().seconds), 3000) == rate


def test_the_budget_comes_back_at_its_rate() -> None:
    clock = Clock()
    policy = DatagramPolicy(1000, clock.seconds)
    answered(policy, 1000)
    assert policy.refusal(HOST, 5000) == RATE
    clock.advance(0.1)
    assert answered(policy, 1000) == 100
    clock.advance(3600.0)
    assert answered(policy, 3000) == 1000


def test_in_the_long_run_the_rate_is_kept_exactly() -> None:
    clock = Clock()
    policy = DatagramPolicy(100, clock.seconds)
    total = 0
    for _ in range(2000):
        total += answered(policy, 5)
        clock.advance(0.005)
    assert total == pytest.approx(100 + 10 * 100, abs=1)


def test_less_than_one_a_second_is_a_rate() -> None:
    clock = Clock()
    policy = DatagramPolicy(0.5, clock.seconds)
    assert answered(policy, 3) == 1
    clock.advance(1.0)
    assert answered(policy, 3) == 0
    clock.advance(1.0)
    assert answered(policy, 3) == 1


def test_a_rate_of_zero_is_no_limit() -> None:
    assert answered(DatagramPolicy(0, Clock().seconds), 100_000) == 100_000


def test_hosts_have_budgets_of_their_own_and_ports_have_not() -> None:
    policy = DatagramPolicy(10, Clock().seconds)
    assert answered(policy, 8, port=5000) == 8
    assert answered(policy, 8, port=5001) == 2
    assert answered(policy, 20, "192.0.2.2") == 10


@pytest.mark.parametrize(
    ("one", "other"),
    [("2001:db8::1", "2001:db8::2"), ("192.0.2.1", "::ffff:192.0.2.1")],
)
def test_one_host_by_two_names_has_one_budget(one: str, other: str) -> None:
    policy = DatagramPolicy(10, Clock().seconds)
    assert answered(policy, 20, one) == 10
    assert answered(policy, 20, other) == 0


def test_a_loop_faster_than_the_budget_ends() -> None:
    clock = Clock()
    policy = DatagramPolicy(1000, clock.seconds)
    rounds = 0
    while policy.refusal(HOST, 40000) is None:
        rounds += 1
        clock.advance(0.0001)
    # 10,000 a second use up a burst of 1,000 in a ninth of a second.
    assert rounds == pytest.approx(1111, abs=2)


# ── memory ──────────────────────────────────────────────────────────────────────────────


def flood(policy: DatagramPolicy, number: int, *, six: bool = False) -> None:
    for n in range(number):
        policy.refusal(
            f"2001:db8:{n >> 8:x}:{n & 255:x}::1" if six else f"10.0.{n >> 8}.{n & 255}", 5000
        )


@pytest.mark.parametrize("six", [False, True])
def test_a_spoofed_flood_is_kept_in_bounded_memory(six: bool) -> None:
    policy = DatagramPolicy(10, Clock().seconds, generation=100)
    flood(policy, 5000, six=six)
    assert 100 <= len(policy) <= 2 * (100 + 1)


def test_who_speaks_on_through_a_flood_is_not_forgotten() -> None:
    policy = DatagramPolicy(10, Clock().seconds, generation=100)
    assert answered(policy, 20) == 10
    for _ in range(50):
        flood(policy, 40)
        assert policy.refusal(HOST, 5000) == RATE


def test_an_ipv6_network_that_speaks_on_is_not_forgotten_for_its_new_addresses() -> None:
    policy = DatagramPolicy(10, Clock().seconds, generation=100)
    assert answered(policy, 20, "2001:db8:ffff:ffff::1") == 10
    for n in range(50):
        flood(policy, 40)
        assert policy.refusal("2001:db8:ffff:ffff::1", 5000) == RATE
        assert policy.refusal(f"2001:db8:ffff:ffff::{n + 2:x}", 5000) == RATE


def test_who_is_not_answered_takes_no_memory() -> None:
    policy = DatagramPolicy(10, Clock().seconds)
    policy.refusal("224.0.0.1", 5000)
    policy.refusal(HOST, 7)
    assert len(policy) == 0


def test_a_changed_rate_holds_for_those_who_are_known() -> None:
    clock = Clock()
    policy = DatagramPolicy(1000, clock.seconds)
    answered(policy, 1000)
    policy.limit(0, any_port=False)
    assert answered(policy, 5000) == 5000
    policy.limit(10, any_port=False)
    clock.advance(1.0)
    assert answered(policy, 5000) == 10
