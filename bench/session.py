"""One run: every workload against every server, in rounds that alternate between servers.

This module must not know how the outcome is shown.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from bench.behaviour import complaint
from bench.contestants import Contestant, Files
from bench.figures import Round
from bench.generator import Generator, LoadFailed
from bench.servers import Cores, Server, running
from bench.workloads import Workload

_TRIES = 3


@dataclass(frozen=True)
class Pace:
    """How long things are looked at: rounds, and seconds of each."""

    rounds: int
    warm: float
    window: float
    latency_window: float
    idle_rounds: int


# Many short rounds: what else the machine does changes from second to second, and the median of
# many neighbours' ratios is nearer to the truth than that of a few long ones.
FULL = Pace(rounds=15, warm=0.04, window=0.12, latency_window=0.5, idle_rounds=2)
QUICK = Pace(rounds=5, warm=0.03, window=0.08, latency_window=0.2, idle_rounds=1)


@dataclass
class Outcome:
    """What became of one workload, by the servers' names.

    :ivar rounds: at saturation; a server is here only if all its rounds succeeded.
    :ivar latency: at the workload's fixed rate.
    :ivar failed: why others are not in ``rounds``.
    """

    workload: Workload
    rounds: dict[str, list[Round]] = field(default_factory=dict)
    latency: dict[str, Round] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Session:
    """All that a run needs to know.

    :ivar tell: is called with a line on what is being done.
    """

    contestants: Sequence[Contestant]
    generator: Generator
    cores: Cores
    files: Files
    pace: Pace
    tell: Callable[[str], None]

    def run(self, workloads: Sequence[Workload]) -> list[Outcome]:
        """Measure *workloads*; those of the same service share their servers."""
        outcomes = [Outcome(workload) for workload in workloads]
        driven = [one for one in outcomes if not one.workload.of_memory]
        for service in dict.fromkeys(one.workload.service for one in driven):
            same = [one for one in driven if one.workload.service == service]
            self._measure(service, same, self.pace.rounds)
        for outcome in outcomes:
            if outcome.workload.of_memory:
                for _ in range(self.pace.idle_rounds):  # memory has no second first time
                    self._measure(outcome.workload.service, [outcome], 1)
        return outcomes

    def _measure(self, service: str, outcomes: Sequence[Outcome], rounds: int) -> None:
        able = [
            one
            for one in self.contestants
            if service in one.services and any(each.workload.has(one.name) for each in outcomes)
        ]
        with running(able, service, self.cores, self.files) as (servers, failed):
            with ThreadPoolExecutor(max(1, len(able))) as pool:
                complaints = pool.map(lambda one: complaint(service, one.port, one.files), servers)
            failed |= {
                server.contestant.name: text
                for server, text in zip(servers, complaints, strict=True)
                if text
            }
            for outcome in outcomes:
                self.tell(outcome.workload.title)
                outcome.failed |= failed
                for number in range(rounds):
                    # Each begins a round in its turn: who comes first pays for what went before.
                    first = number % len(servers) if servers else 0
                    self._round(outcome, servers[first:] + servers[:first])
                if outcome.workload.rate:
                    self._latency(outcome, servers)
                for name in outcome.failed:
                    outcome.rounds.pop(name, None)
                    outcome.latency.pop(name, None)

    def _round(self, outcome: Outcome, servers: Sequence[Server]) -> None:
        options = {"warm": self.pace.warm, "window": self.pace.window}
        for name, measured in self._each(outcome, servers, options):
            outcome.rounds.setdefault(name, []).append(measured)

    def _latency(self, outcome: Outcome, servers: Sequence[Server]) -> None:
        options = {"warm": self.pace.warm, "window": self.pace.latency_window}
        options["rate"] = outcome.workload.rate
        outcome.latency.update(self._each(outcome, servers, options))

    def _each(
        self, outcome: Outcome, servers: Sequence[Server], options: dict[str, float]
    ) -> Iterator[tuple[str, Round]]:
        """Give each server that has not failed yet one round."""
        workload = outcome.workload
        for server in servers:
            name = server.contestant.name
            if name in outcome.failed or not workload.has(name):
                continue
            try:
                yield name, self._measured(workload, server, {**workload.load, **options})
            except LoadFailed as error:
                outcome.failed[name] = str(error)
            finally:
                if server.files.sink.exists():
                    os.truncate(server.files.sink, 0)

    def _measured(self, workload: Workload, server: Server, options: dict[str, float]) -> Round:
        """Give *server* one round; another one where nothing came through for want of a core.

        :raises LoadFailed: when nothing comes through, whatever is done.
        """
        for _ in range(_TRIES):
            measured = self.generator.run(workload.mode, server.port, server.process.pid, options)
            if workload.of_memory or (measured.messages > 0 and measured.server_cpu > 0):
                return measured
        raise LoadFailed("not one message came through")
