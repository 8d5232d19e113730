"""The benchmark's arithmetic, on rounds that are made up."""

import pytest

from bench.figures import Ratio, Round, cost, met, ratio, reached, throughput, typical
from bench.run import choose
from bench.workloads import WORKLOADS, Workload

ECHO = Workload("echo", "Echo", "tcp-echo", "tcp", {"connections": 1})


def a_round(**figures: float) -> Round:
    usual = {"messages": 1000, "seconds": 1, "server_cpu": 0.5, "load_cpu": 0.5}
    return Round(**{"p50_us": 0, "p99_us": 0, "lost": 0, **usual, **figures})


def rounds(*cpu: float) -> list[Round]:
    return [a_round(server_cpu=one) for one in cpu]


def test_cost_is_cpu_microseconds_per_message() -> None:
    assert cost(ECHO, a_round(messages=100_000, server_cpu=0.5)) == 5.0


def test_cost_per_megabyte_of_a_stream_that_counts_bytes() -> None:
    sink = Workload("sink", "Sink", "filesink", "stream", {}, unit="MB", size=1e6)
    assert cost(sink, a_round(messages=500e6, server_cpu=0.5)) == 1000.0
    assert throughput(sink, [a_round(messages=500e6, seconds=2)]) == 250.0


def test_cost_of_idle_connections_is_memory() -> None:
    idle = Workload("idle", "Idle", "tcp-echo", "idle", {"connections": 5000}, size=5000)
    assert cost(idle, a_round(messages=5_000_000, server_cpu=9)) == 1000.0


def test_a_round_without_a_message_has_no_cost() -> None:
    with pytest.raises(ValueError, match="not one message"):
        cost(ECHO, a_round(messages=0))


def test_typical_and_throughput_are_medians() -> None:
    assert typical(ECHO, rounds(0.003, 0.001, 0.9)) == 3.0
    many = [a_round(messages=n) for n in (10, 30, 1)]
    assert throughput(ECHO, many) == 10.0


def test_ratio_is_the_median_of_the_rounds_ratios_not_the_ratio_of_medians() -> None:
    found = ratio(ECHO, rounds(1, 4, 9), rounds(2, 2, 9))
    assert found == Ratio(median=1.0, low=0.75, high=1.5)


def test_the_quartiles_of_one_round_are_that_round() -> None:
    assert ratio(ECHO, rounds(1), rounds(2)) == Ratio(0.5, 0.5, 0.5)


def test_there_is_no_ratio_to_nothing() -> None:
    assert ratio(ECHO, rounds(1), rounds(0)) is None


def test_rounds_without_a_partner_are_an_error() -> None:
    with pytest.raises(ValueError, match="longer"):
        ratio(ECHO, rounds(1), rounds(1, 2))


@pytest.mark.parametrize(
    ("load", "server", "bound"),
    [(0.95, 0.5, True), (0.95, 0.95, False), (0.5, 0.5, False), (0.5, 0.95, False)],
)
def test_generator_bound_is_a_busy_generator_and_a_server_that_waits(
    load: float, server: float, bound: bool
) -> None:
    assert a_round(load_cpu=load, server_cpu=server).generator_bound is bound


def test_unsaturated_is_when_both_have_time_to_spare() -> None:
    assert a_round(load_cpu=0.5, server_cpu=0.5).unsaturated
    assert not a_round(load_cpu=0.95, server_cpu=0.5).unsaturated
    assert not a_round(load_cpu=0.5, server_cpu=0.95).unsaturated


@pytest.mark.parametrize(("value", "reached"), [(0.75, True), (0.754, True), (0.756, False)])
def test_a_target_is_met_at_the_decimals_shown(value: float, reached: bool) -> None:
    assert met(value, 0.75) is reached


def test_a_target_may_allow_so_much_more() -> None:
    memory = Workload(
        "m", "M", "irc", "irc-idle", {}, unit="MB", size=1e6, targets={"peer": 1.0}, allowance=40
    )
    ours, theirs = [a_round(messages=70e6)], [a_round(messages=30e6)]
    assert reached(memory, "peer", ours, theirs) is True
    assert reached(memory, "peer", [a_round(messages=70.1e6)], theirs) is False
    assert reached(memory, "another", ours, theirs) is None


def test_the_quick_run_is_a_part_of_the_whole_one() -> None:
    whole = choose(None, quick=False)
    assert whole == list(WORKLOADS)
    assert [one for one in whole if one.quick] == choose(None, quick=True) != whole


def test_workloads_are_chosen_by_name() -> None:
    assert [one.name for one in choose("file-*", quick=True)] == ["file-sink"]
    assert len(choose("chat-*", quick=True)) == 4
    assert choose("nothing", quick=False) == []
