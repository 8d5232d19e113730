"""``socketsuite ports``: the suite's listeners and connections, as a table.

This module must not know where the rows come from.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from socketsuite.cli.options import epilog, json_option, pass_output
from socketsuite.cli.output import Output
from socketsuite.cli.terminal import is_capable, size

if TYPE_CHECKING:
    from socketsuite.cli.socket_table import Row

_HEADINGS = ("PROTO", "LOCAL", "REMOTE", "STATE", "PID", "SERVICE")
_STYLES = {"LISTEN": "green", "ESTABLISHED": "cyan"}
# The order in which columns go when a terminal is too narrow: the highest first.
_RANKS = (3, 0, 1, 5, 4, 2)


@click.command(
    epilog=epilog(
        [
            "socketsuite ports",
            "socketsuite ports --listening --tcp",
            "socketsuite ports --all --json | jq 'select(.state == \"LISTEN\")'",
        ],
        "the system does not tell",
    )
)
@click.option("--all", "everybody", is_flag=True, help="Every process's, not only the suite's.")
@click.option("--listening", is_flag=True, help="Only where strangers may send something.")
@click.option("--tcp", is_flag=True, help="TCP only; these three add up.")
@click.option("--udp", is_flag=True, help="UDP only.")
@click.option("--unix-sockets", is_flag=True, help="Unix sockets only.")
@json_option
@pass_output
def ports(
    output: Output, everybody: bool, listening: bool, tcp: bool, udp: bool, unix_sockets: bool
) -> None:
    """Show the suite's listeners and connections.

    Every twistd process whose service is a socketsuite plugin counts, third parties'
    plugins too.
    """
    import psutil

    from socketsuite.cli.socket_table import hidden_processes, sockets, suite_processes
    from socketsuite.service import installed_services

    services = suite_processes(installed_services())
    wanted = _wanted(listening, tcp, udp, unix_sockets)
    rows = [row for row in sockets(services, everybody=everybody) if wanted(row)]
    if output.as_json:
        for row in rows:
            known = asdict(row)
            output.row("socket", peer=known.pop("remote") or None, **known)
    elif os.isatty(1):
        _show_table(rows, output)
    else:
        _show_columns(rows, output)
    hidden = hidden_processes(psutil.pids() if everybody else services)
    output.totals |= {"sockets": len(rows), "hidden": hidden}
    if hidden:
        output.note(f"hidden from you, ask as root: the sockets of {hidden} process(es)")


def _wanted(listening: bool, tcp: bool, udp: bool, unix: bool) -> Callable[[Row], bool]:
    chosen = [name for name, on in (("tcp", tcp), ("udp", udp), ("unix", unix)) if on]

    def wanted(row: Row) -> bool:
        of_protocol = not chosen or row.protocol.removesuffix("6") in chosen
        return of_protocol and (row.listening or not listening)

    return wanted


def _cells(row: Row) -> tuple[str, ...]:
    pid = "" if row.pid is None else str(row.pid)
    return row.protocol, row.local, row.remote, row.state, pid, row.service


def _show_columns(rows: Sequence[Row], output: Output) -> None:
    table = [_HEADINGS, *(_cells(row) for row in rows)]
    cells = [[cell or "-" for cell in line] for line in table]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        output.line("  ".join(padded).rstrip())


def _show_table(rows: Sequence[Row], output: Output) -> None:
    from rich.text import Text

    from socketsuite.cli.columns import Column, rendered, table

    columns = [
        Column(heading, rank, cut=heading == "SERVICE")
        for heading, rank in zip(_HEADINGS, _RANKS, strict=True)
    ]
    cells = [[Text(cell, style=_STYLES.get(row.state, "")) for cell in _cells(row)] for row in rows]
    headings, lines = table(columns, cells, size(1)[0])
    for line in (headings, *lines):
        output.line(rendered(line, colour=is_capable(1)))
