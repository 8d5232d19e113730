"""``socketsuite accumulate``: the command around a conversation with an accumulator.

This module must not know the wire; see :mod:`socketsuite.clients.summing`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from socketsuite.clients.failed import Failed
from socketsuite.clients.options import (
    SECONDS,
    Route,
    address_argument,
    epilog,
    stream_options,
)
from socketsuite.framing.integers import IntegerOverflow, Width, encode

_DEFAULT_PORT = 40000


@click.command(
    epilog=epilog(
        [
            "socketsuite accumulate",
            "socketsuite accumulate --values 5,7,-3 --sums 2 localhost 40000",
            "seq 100 | socketsuite accumulate --values -",
        ],
        "no server, or it closed before the end",
        "everything sent, and --sums sums received",
    )
)
@address_argument(_DEFAULT_PORT)
@click.option(
    "--width",
    type=click.Choice(["32", "64"]),
    default="32",
    show_default=True,
    help="Bits per integer; signed, little-endian.",
)
@click.option(
    "--every",
    type=SECONDS,
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two integers; the first goes after one and a half of it.",
)
@click.option(
    "--count",
    type=click.IntRange(min=1),
    default=29,
    show_default=True,
    help="How many integers, from 0.",
)
@click.option(
    "--values",
    metavar="N,N,...",
    help='Send these at once instead; "-" reads them from standard input.',
)
@click.option(
    "--sums",
    type=click.IntRange(min=1),
    help="End after this many sums [default: 1 with --values, else with the last integer].",
)
@stream_options
def accumulate(
    address: Sequence[str],
    width: str,
    every: float,
    count: int,
    values: str | None,
    sums: int | None,
    as_json: bool,
    route: Route,
) -> int:
    """Send integers to an accumulator, show the sums it pushes, one per line.

    As it comes: 0, 1, 2, ... one a second, for thirty seconds.
    """
    from socketsuite.clients.run import run
    from socketsuite.clients.summing import Plan, accumulate_with

    target = route.to(address, _DEFAULT_PORT)
    bits: Width = 32 if width == "32" else 64
    numbers: Sequence[int] = range(count) if values is None else _integers(values)
    plan = Plan(
        width=bits,
        integers=[_encoded(number, bits) for number in numbers],
        every=every if values is None else 0.0,
        sums=sums if values is None else sums or 1,
    )

    def show(value: int, at: float) -> None:
        line = json.dumps({"event": "sum", "value": value, "at": round(at, 6)})
        click.echo(line if as_json else value)

    async def work(reactor: Any) -> int:
        seen = await accumulate_with(reactor, target, plan, show)
        if plan.sums is not None and seen < plan.sums:
            raise Failed(f"the server closed after {seen} of {plan.sums} sums")
        return 0

    return run(work)


def _integers(values: str) -> list[int]:
    text = sys.stdin.read() if values == "-" else values
    words = text.replace(",", " ").split()
    if not words:
        raise click.UsageError("--values holds no integer.")
    try:
        return [int(word) for word in words]
    except ValueError as error:
        raise click.UsageError(f"--values: {error}.") from None


def _encoded(number: int, width: Width) -> bytes:
    try:
        return encode(number, width, "close")
    except IntegerOverflow:
        raise click.UsageError(f"{number} does not fit {width} bits.") from None
