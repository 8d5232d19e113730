"""``socketsuite rot13``: sends lines to a rot13 daemon, and shows what comes back.

What takes time to load, Twisted above all, is imported when the command runs: ``socketsuite
--help`` imports this module.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click

from socketsuite.cli.options import Route, address_argument, epilog, pass_output, stream_options
from socketsuite.cli.output import Output

PORT = 9100


@click.command(
    epilog=epilog(
        ["socketsuite rot13 --line Hello localhost 9100"],
        "no server, or it closed before the end",
        "every line has come back",
    )
)
@address_argument(PORT)
@click.option("--line", "texts", metavar="TEXT", multiple=True, required=True, help="What to send.")
@stream_options
@pass_output
def rot13(output: Output, address: Sequence[str], texts: Sequence[str], route: Route) -> None:
    """Send lines to a rot13 daemon, show what comes back."""
    from acme.calling import rotated
    from socketsuite.cli.run import run

    target = route.to(address, PORT)
    output.peer = target.peer
    output.totals |= {"lines": 0}
    lines = [line for text in texts for line in os.fsencode(text).split(b"\n")]

    def show(line: str) -> None:
        output.totals["lines"] += 1
        if output.as_json:
            output.row("line", peer=output.peer, text=line)
        else:
            output.line(line)

    async def work(reactor: Any) -> None:
        await rotated(reactor, target, lines, output, show)

    run(work, output)
