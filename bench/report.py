"""What a run has found, as a table for people and as data for programs.

This module must not measure anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench.contestants import OURS
from bench.figures import Ratio, ratio, reached, throughput, typical
from bench.session import Outcome

_HEAD = ("ours is", "(quartiles)", "to reach")


@dataclass(frozen=True)
class Line:
    """One server at one workload.

    :ivar cost: the figure that is compared, the median of the rounds.
    :ivar ratio: ours by this; ``None`` for ours.
    :ivar target: the ratio to reach, if one was set, and what ours may cost besides.
    :ivar met: whether that was reached.
    :ivar throughput: units a second, at saturation.
    :ivar server_busy: the part of its core that the server used meanwhile.
    """

    name: str
    label: str
    cost: float
    ratio: Ratio | None
    target: float | None
    allowance: str
    met: bool | None
    throughput: float | None
    server_busy: float
    p50_us: float | None
    p99_us: float | None
    generator_bound: bool
    unsaturated: bool

    @property
    def verdict(self) -> str:
        """Whether the target is met, in words."""
        if self.met is None:
            return ""
        return f"≤ {self.target:.2f}{self.allowance} {'met' if self.met else 'NOT MET'}"


def lines(outcome: Outcome, labels: Mapping[str, str]) -> list[Line]:
    """Return a line for each server that was measured, ours first."""
    workload, ours = outcome.workload, outcome.rounds.get(OURS)
    made = []
    for name, rounds in outcome.rounds.items():
        latency = outcome.latency.get(name)
        compared = name != OURS and ours is not None
        made.append(
            Line(
                name,
                labels[name],
                typical(workload, rounds),
                ratio(workload, ours, rounds) if compared and ours else None,
                workload.targets.get(name),
                f" + {workload.allowance:g} {workload.unit}" if workload.allowance else "",
                reached(workload, name, ours, rounds) if compared and ours else None,
                None if workload.of_memory else throughput(workload, rounds),
                median(one.server_busy for one in rounds),
                latency.p50_us if latency else None,
                latency.p99_us if latency else None,
                _mostly(one.generator_bound for one in rounds),
                _mostly(one.unsaturated for one in rounds),
            )
        )
    return made


def _mostly(verdicts: Iterable[bool]) -> bool:
    return median([float(one) for one in verdicts]) > 0.5


def table(outcomes: Sequence[Outcome], labels: Mapping[str, str]) -> str:
    """Return the table."""
    return "\n\n".join(_section(outcome, labels) for outcome in outcomes)


def _section(outcome: Outcome, labels: Mapping[str, str]) -> str:
    workload = outcome.workload
    head: tuple[str, ...] = ("", workload.figure, *_HEAD, "", "")
    if not workload.of_memory:
        offered = f"p50 / p99 µs at {workload.offered}" if workload.rate else ""
        head = (*head[:5], "at saturation (busy)", offered)
    rows = [head, *(_cells(line) for line in lines(outcome, labels))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    text = [workload.title]
    for row in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        text.append(f"  {row[0]:<{widths[0]}}  {'  '.join(cells)}".rstrip())
    measured = lines(outcome, labels) if not workload.of_memory else []
    bound = [line.label for line in measured if line.generator_bound]
    if bound:
        text.append(f"  generator-bound, could do more than shown: {', '.join(bound)}")
    spare = [line.label for line in measured if line.unsaturated]
    if spare:
        who = "any" if len(spare) == len(measured) else ", ".join(spare)
        text.append(f"  not saturated, neither core was busy (other work on them?): {who}")
    text += [f"  {labels[name]}: left out, {why}" for name, why in outcome.failed.items()]
    return "\n".join(text)


def _cells(line: Line) -> tuple[str, ...]:
    found = line.ratio
    return (
        line.label,
        f"{line.cost:,.0f}" if line.cost >= 100 else f"{line.cost:.3g}",
        f"{found.median:.2f}×" if found else "",
        f"({found.low:.2f}–{found.high:.2f})" if found else "",
        line.verdict,
        "" if line.throughput is None else f"{line.throughput:,.0f}/s ({line.server_busy:4.0%})",
        "" if line.p50_us is None else f"{line.p50_us:,.0f} / {line.p99_us:,.0f}",
    )


def summary(outcomes: Sequence[Outcome], labels: Mapping[str, str]) -> str:
    """Return one line: how many of the targets are met."""
    aims = [line for one in outcomes for line in lines(one, labels) if line.verdict]
    return f"targets met: {sum(bool(line.met) for line in aims)} of {len(aims)}"


def data(outcomes: Sequence[Outcome], labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return everything, each single round included, in types that JSON has."""
    return [
        {
            "workload": outcome.workload.name,
            "title": outcome.workload.title,
            "figure": outcome.workload.figure,
            "offered_rate": outcome.workload.rate or None,
            "servers": [
                {
                    **asdict(line),
                    "rounds": [asdict(one) for one in outcome.rounds[line.name]],
                }
                for line in lines(outcome, labels)
            ],
            "failed": outcome.failed,
        }
        for outcome in outcomes
    ]
