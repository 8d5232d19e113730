"""``socketsuite ports``: the suite's listeners and connections, as a table.

This module must not know where the rows come from.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from socketsuite.clients.options import epilog, json_option

if TYPE_CHECKING:
    from socketsuite.clients.socket_table import Row

_HEADINGS = ("PROTO", "LOCAL", "REMOTE", "STATE", "PID", "SERVICE")
_STYLES = {"LISTEN": "green", "ESTABLISHED": "cyan"}


@click.command(
    epilog=epilog(
        [
            "socketsuite ports",
            "socketsuite ports --listening --tcp",
            "socketsuite ports --all --json | jq '.[] | select(.state == \"LISTEN\")'",
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
def ports(
    everybody: bool, listening: bool, tcp: bool, udp: bool, unix_sockets: bool, as_json: bool
) -> int:
    """Show the suite's listeners and connections.

    Every twistd process whose service is a socketsuite plugin counts, third parties'
    plugins too. With --json, one array.
    """
    import psutil

    from socketsuite.clients.socket_table import hidden_processes, sockets, suite_processes
    from socketsuite.plugin import installed_plugins

    services = suite_processes(installed_plugins())
    wanted = _wanted(listening, tcp, udp, unix_sockets)
    rows = [row for row in sockets(services, everybody=everybody) if wanted(row)]
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows]))
    elif sys.stdout.isatty():
        _show_table(rows)
    else:
        _show_columns(rows)
    hidden = hidden_processes(psutil.pids() if everybody else services)
    if hidden:
        text = f"hidden from you, ask as root: the sockets of {hidden} process(es)"
        click.echo(text, err=True)
    return 0


def _wanted(listening: bool, tcp: bool, udp: bool, unix: bool) -> Callable[[Row], bool]:
    chosen = [name for name, on in (("tcp", tcp), ("udp", udp), ("unix", unix)) if on]

    def wanted(row: Row) -> bool:
        of_protocol = not chosen or row.protocol.removesuffix("6") in chosen
        return of_protocol and (row.listening or not listening)

    return wanted


def _cells(row: Row) -> tuple[str, ...]:
    pid = "" if row.pid is None else str(row.pid)
    return row.protocol, row.local, row.remote, row.state, pid, row.service


def _show_columns(rows: Sequence[Row]) -> None:
    table = [_HEADINGS, *(_cells(row) for row in rows)]
    cells = [[cell or "-" for cell in line] for line in table]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _show_table(rows: Sequence[Row]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*_HEADINGS, box=box.SIMPLE_HEAD, header_style="bold")
    for row in rows:
        table.add_row(*map(Text, _cells(row)), style=_STYLES.get(row.state))
    Console().print(table)
