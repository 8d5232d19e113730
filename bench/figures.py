"""The arithmetic: from rounds to figures, ratios, and verdicts.

Pure functions; this module must not know where a round comes from or how it is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from bench.workloads import Workload

_BUSY = 0.9


@dataclass(frozen=True)
class Round:
    """What the load generator reports; times in seconds unless the name says otherwise."""

    messages: float
    seconds: float
    server_cpu: float
    load_cpu: float
    p50_us: float
    p99_us: float
    lost: float

    @property
    def generator_bound(self) -> bool:
        """Whether it was the generator that could do no more."""
        return self.load_cpu > _BUSY * self.seconds and self.server_cpu <= _BUSY * self.seconds

    @property
    def unsaturated(self) -> bool:
        """Whether both had time to spare: they waited for each other, or for a core."""
        return max(self.load_cpu, self.server_cpu) <= _BUSY * self.seconds

    @property
    def server_busy(self) -> float:
        """The part of its core that the server used."""
        return self.server_cpu / self.seconds


@dataclass(frozen=True)
class Ratio:
    """Ours by theirs: the median of the rounds, and their quartiles."""

    median: float
    low: float
    high: float


def cost(workload: Workload, measured: Round) -> float:
    """Return the figure that is compared: CPU µs per unit, or units of memory.

    :raises ValueError: when nothing got through.
    """
    if workload.of_memory:
        return measured.messages / workload.size
    if measured.messages <= 0:
        raise ValueError("not one message came through")
    return measured.server_cpu * 1e6 / (measured.messages / workload.size)


def throughput(workload: Workload, rounds: Sequence[Round]) -> float:
    """Return units a second at saturation, the median of the rounds."""
    return median(one.messages / workload.size / one.seconds for one in rounds)


def typical(workload: Workload, rounds: Sequence[Round]) -> float:
    """Return the median cost of the rounds."""
    return median(cost(workload, one) for one in rounds)


def ratio(workload: Workload, ours: Sequence[Round], theirs: Sequence[Round]) -> Ratio | None:
    """Compare round by round: two neighbours in time share the machine's mood.

    :return: ``None`` when theirs cost nothing, as an idle connection costs the C echo.
    :raises ValueError: when there are not as many rounds of one as of the other.
    """
    pairs = zip(ours, theirs, strict=True)
    costs = [(cost(workload, mine), cost(workload, other)) for mine, other in pairs]
    if not all(other > 0 for _, other in costs):
        return None
    ratios = [mine / other for mine, other in costs]
    low, _, high = quantiles(ratios, method="inclusive") if len(ratios) > 1 else ratios * 3
    return Ratio(median(ratios), low, high)


def met(value: float, target: float) -> bool:
    """Whether a ratio reaches its target, at the two decimals that are shown."""
    return round(value, 2) <= target


def reached(
    workload: Workload, peer: str, ours: Sequence[Round], theirs: Sequence[Round]
) -> bool | None:
    """Whether ours costs no more than was set for that peer; ``None`` where nothing was."""
    target, found = workload.targets.get(peer), ratio(workload, ours, theirs)
    if target is None or found is None:
        return None
    if not workload.allowance:
        return met(found.median, target)
    most = typical(workload, theirs) * target + workload.allowance
    return typical(workload, ours) <= most
