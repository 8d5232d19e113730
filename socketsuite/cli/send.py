"""``socketsuite send``: pipes a file into a server, and never holds it in memory.

This module must not know what the server does with it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from socketsuite.cli.options import SECONDS, Route, epilog, pass_output, stream_options
from socketsuite.cli.output import Output
from socketsuite.cli.terminal import is_capable
from socketsuite.transport.dial.failed import Failed, os_cause

if TYPE_CHECKING:
    from socketsuite.cli.upload import Sent

_DEFAULT_PORT = 40001


@click.command(
    epilog=epilog(
        [
            "socketsuite send localhost 40001 photo.jpg",
            "tar c folder | socketsuite send --unix /run/socketsuite/filesink.sock -",
        ],
        "no server, connection lost, or the end not confirmed by the server",
        "everything sent, and the server closed its side",
    )
)
@click.argument("words", nargs=-1, metavar=f"[HOST (localhost) [PORT ({_DEFAULT_PORT})]] FILE")
@click.option(
    "--close-timeout",
    type=SECONDS,
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the server may take to close after the end.",
)
@stream_options
@pass_output
def send(output: Output, words: Sequence[str], close_timeout: float, route: Route) -> None:
    """Pipe FILE, or standard input for "-", into a server.

    At the end our half of the connection is closed, and the server's closing is the
    confirmation that it has read everything.  What the server says meanwhile is dropped.
    """
    from socketsuite.cli.run import run
    from socketsuite.cli.upload import upload

    if not words:
        raise click.UsageError("Missing argument FILE.")
    target = route.to(words[:-1], _DEFAULT_PORT)
    output.peer = target.peer
    descriptor = _open(words[-1])
    status = os.fstat(descriptor)
    size = status.st_size if stat.S_ISREG(status.st_mode) else None

    async def work(reactor: Any) -> None:
        sent = await upload(
            reactor,
            target,
            descriptor,
            size,
            output,
            close_timeout=close_timeout,
            show_progress=is_capable(2) and not output.as_json,
        )
        _report(sent, output)

    run(work, output)


def _open(name: str) -> int:
    if name == "-":
        return 0
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise click.UsageError(f"cannot read {name}: is a directory.")
    except OSError as error:
        raise click.UsageError(f"cannot read {name}: {os_cause(error)}.") from None
    return descriptor


def _report(sent: Sent, output: Output) -> None:
    rate = sent.bytes / sent.seconds if sent.seconds else 0.0
    output.totals |= {"bytes_per_second": round(rate), "confirmed": sent.confirmed}
    output.note(f"sent {sent.bytes:,} bytes in {sent.seconds:.2f} s ({rate / 1e6:.1f} MB/s)")
    if not sent.confirmed:
        raise Failed(
            "the server has not confirmed: it did not close within --close-timeout, and may"
            " not have read everything",
            "unconfirmed",
        )
