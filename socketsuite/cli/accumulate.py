"""``socketsuite accumulate``: the command around a conversation with an accumulator.

This module must not know the wire; see :mod:`socketsuite.cli.summing`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import click

from socketsuite.cli.options import (
    SECONDS,
    Route,
    address_argument,
    epilog,
    pass_output,
    stream_options,
)
from socketsuite.cli.output import Output
from socketsuite.transport.dial.failed import Failed, os_cause
from socketsuite.wire.integers import Width

_DEFAULT_PORT = 40000
_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")
_LONGEST_INPUT = 16 << 20


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
@pass_output
def accumulate(
    output: Output,
    address: Sequence[str],
    width: str,
    every: float,
    count: int,
    values: str | None,
    sums: int | None,
    route: Route,
) -> None:
    """Send integers to an accumulator, show the sums it pushes, one per line.

    As it comes: 0, 1, 2, ... one a second, for thirty seconds.
    """
    from socketsuite.cli.run import run
    from socketsuite.cli.summing import Plan, accumulate_with

    target = route.to(address, _DEFAULT_PORT)
    output.peer = target.peer
    bits: Width = 32 if width == "32" else 64
    numbers: Sequence[int] = range(count) if values is None else _integers(values)
    for number in numbers if values is not None else numbers[-1:]:
        _check(number, bits)
    plan = Plan(
        width=bits,
        integers=numbers,
        every=every if values is None else 0.0,
        sums=sums if values is None else sums or 1,
    )
    output.totals |= {"sums": 0}

    def show(value: int, at: float) -> None:
        output.totals["sums"] += 1
        if output.as_json:
            output.row("sum", peer=output.peer, duration=at, value=value)
        else:
            output.line(str(value))

    async def work(reactor: Any) -> None:
        seen = await accumulate_with(reactor, target, plan, output, show)
        if plan.sums is not None and seen < plan.sums:
            raise Failed(f"the server closed after {seen} of {plan.sums} sums", "closed")

    run(work, output)


def _integers(values: str) -> list[int]:
    text = _standard_input() if values == "-" else values
    words = text.replace(",", " ").split()
    if not words:
        raise click.UsageError("--values holds no integer.")
    for word in words:
        if not _INTEGER.fullmatch(word):
            raise click.UsageError(
                f"--values: {word[:40]!r} is not an integer; allowed are whole numbers in"
                " decimal, such as 5,7,-3, between commas or blanks."
            )
    return [int(word) for word in words]


def _standard_input() -> str:
    parts, size = [], 0
    try:
        while data := os.read(0, 1 << 16):
            size += len(data)
            if size > _LONGEST_INPUT:
                raise click.UsageError(f"--values -: more than {_LONGEST_INPUT:,} bytes.")
            parts.append(data)
    except OSError as error:
        raise Failed(f"cannot read standard input: {os_cause(error)}", "input") from None
    return b"".join(parts).decode("ascii", "backslashreplace")


def _check(number: int, width: Width) -> None:
    least, most = -(1 << width - 1), (1 << width - 1) - 1
    if not least <= number <= most:
        raise click.UsageError(f"{number} does not fit {width} bits: {least} to {most}.")
