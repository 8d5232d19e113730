"""Small runs, with real servers and real load."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bench.behaviour import complaint
from bench.contestants import OURS, PLAIN, Contestant, Files, contestants
from bench.figures import Round
from bench.generator import Generator, LoadFailed, find_compiler, make_generator
from bench.run import main, make_files
from bench.servers import Cores, running
from bench.session import Pace, Session
from bench.workloads import WORKLOADS, Workload

TINY = Pace(rounds=1, warm=0.02, window=0.05, latency_window=0.05, idle_rounds=1)


@pytest.fixture
def cores() -> Iterator[Cores]:
    """Whatever pins this process to a core: afterwards it has all of them again."""
    before = os.sched_getaffinity(0)
    yield Cores(server=min(before), load=max(before))
    os.sched_setaffinity(0, before)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return make_files(tmp_path)


@pytest.fixture
def plain() -> Contestant:
    """A server that starts quickly and needs nothing installed."""
    return next(one for one in contestants(None)[0] if one.name == "asyncio")


@pytest.fixture
def ours() -> Contestant:
    """Ours, for what no plain program offers."""
    (found,) = [one for one in contestants(None)[0] if one.name == OURS]
    return replace(found, services=found.services - PLAIN)


def tiny(workload: Workload) -> Workload:
    load = {
        key: min(value, 5) if key in ("connections", "room") else value
        for key, value in workload.load.items()
    }
    return replace(workload, load=load, among=None)


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "slow"])
def test_every_kind_of_load_gets_through(
    compiled: bool,
    cores: Cores,
    files: Files,
    plain: Contestant,
    ours: Contestant,
    tmp_path: Path,
) -> None:
    compiler = find_compiler()
    if compiled and compiler is None:
        pytest.skip("no C compiler")
    generator = make_generator(compiler if compiled else None, tmp_path)
    modes = {one.mode: one for one in WORKLOADS if generator.can(one.mode)}
    workloads = [tiny(one) for one in modes.values()]
    session = Session([plain, ours], generator, cores, files, TINY, tell=lambda line: None)
    outcomes = session.run(workloads)
    assert [one.failed for one in outcomes] == [{}] * len(workloads)
    for outcome in outcomes:
        ((name, (measured,)),) = outcome.rounds.items()
        assert measured.seconds > 0
        assert measured.server_cpu > 0
        assert measured.messages > 0 or outcome.workload.mode == "idle"
        if outcome.workload.rate:
            latency = outcome.latency[name]
            assert 0 < latency.p50_us <= latency.p99_us < 1e6


def test_servers_end_even_when_the_run_fails(cores: Cores, files: Files, plain: Contestant) -> None:
    with contextlib.suppress(ZeroDivisionError), running([plain], "chat", cores, files) as (up, _):
        (server,) = up
        assert os.sched_getaffinity(server.process.pid) == {cores.server}
        1 / 0
    assert server.process.returncode is not None


def test_a_server_that_cannot_start_is_named_with_its_last_words(
    cores: Cores, files: Files, plain: Contestant
) -> None:
    broken = replace(plain, name="broken", command=lambda *_: [sys.executable, "-c", "1/0"])
    with running([broken, plain], "tcp-echo", cores, files) as (up, failed):
        assert [server.contestant.name for server in up] == ["asyncio"]
    assert failed == {"broken": "did not start: ZeroDivisionError: division by zero"}


def test_a_server_that_behaves_otherwise_is_found_out(
    cores: Cores, files: Files, plain: Contestant
) -> None:
    with running([plain], "tcp-echo", cores, files) as (up, _):
        assert "does not behave" in complaint("tls-echo", up[0].port, files)
        assert complaint("tcp-echo", up[0].port, files) == ""


def test_a_load_that_the_slow_generator_does_not_know_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match="needs a C compiler"):
        make_generator(None, tmp_path).run("irc-return", 1, os.getpid(), {"connections": 1})


def test_a_round_against_nobody_fails_with_the_reason(tmp_path: Path) -> None:
    generator: Generator = make_generator(None, tmp_path)
    with pytest.raises(LoadFailed, match="refused"):
        generator.run("tcp", 1, os.getpid(), {"connections": 1})


def test_an_unknown_workload_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "nonsense"]) == 2
    assert "no workload is called 'nonsense'; there are: tcp-echo-64" in capsys.readouterr().err


@pytest.mark.sampled(2)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_stopped_leaves_nobody_behind(number: signal.Signals) -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "bench.run", "--only", "tcp-echo-4k"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stderr is not None
    assert "TCP echo, 4 KiB" in run.stderr.readline()  # measuring has begun
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    run.send_signal(number)
    assert run.wait(20) == 128 + number
    assert children
    assert not [one for one in children if Path("/proc", one).exists()]


def test_a_round_in_which_nothing_came_through_is_made_again_and_then_given_up(
    cores: Cores, files: Files, plain: Contestant
) -> None:
    class Starved(Generator):
        def run(self, mode: str, port: int, server: int, options: Mapping[str, float]) -> Round:
            rounds.append(mode)
            return Round(0, 1, 0, 0, 0, 0, 0)

    rounds: list[str] = []
    session = Session([plain], Starved([], [], []), cores, files, TINY, tell=lambda line: None)
    (echo,) = [one for one in WORKLOADS if one.name == "tcp-echo-4k"]
    (outcome,) = session.run([echo])
    assert outcome.failed == {"asyncio": "not one message came through"}
    assert rounds == ["tcp"] * 3
