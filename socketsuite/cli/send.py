"""``socketsuite send``: pipes a file into a server, and never holds it in memory.

With ``--ack`` files go to streams whose bytes the server acknowledges.  This module must not know
what the server does with them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from socketsuite.cli.options import (
    SECONDS,
    Route,
    epilog,
    pass_output,
    split_host,
    stream_options,
)
from socketsuite.cli.output import Output
from socketsuite.cli.terminal import is_capable
from socketsuite.transport.dial.failed import Failed, os_cause

if TYPE_CHECKING:
    from socketsuite.cli.upload import Sent

_DEFAULT_PORT = 40001
_DEFAULT_ACK_PORT = 40002
_OF_ACK = ("stream", "receipts", "parallel", "append", "retry_for")


@click.command(
    epilog=epilog(
        [
            "socketsuite send localhost 40001 photo.jpg",
            "tar c folder | socketsuite send --unix /run/socketsuite/filesink.sock -",
            "socketsuite send --ack --receipts sent.receipts localhost 40002 photos/ notes.txt",
        ],
        "no server, connection lost, or the end not confirmed by the server",
        "everything sent, and the server closed its side; with --ack: everything is durable",
    )
)
@click.argument(
    "words",
    nargs=-1,
    metavar=f"[HOST (localhost) [PORT ({_DEFAULT_PORT}; --ack {_DEFAULT_ACK_PORT})]] FILE…",
)
@click.option(
    "--close-timeout",
    type=SECONDS,
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the server may take to close after the end.",
)
@click.option("--ack", is_flag=True, help="Have every byte acknowledged; resume after a break.")
@click.option("--stream", metavar="ID", help="The stream, if it is not named as the FILE is.")
@click.option(
    "--receipts",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Append the receipts to FILE, for 'socketsuite verify'.",
)
@click.option(
    "--parallel",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    metavar="N",
    help="How many connections at most.",
)
@click.option("--append", is_flag=True, help="Begin where the stream ends, not at its start.")
@click.option(
    "--retry-for",
    type=SECONDS,
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Give up after a break when there is no progress for so long.",
)
@stream_options
@click.pass_context
@pass_output
def send(
    output: Output,
    context: click.Context,
    /,
    words: Sequence[str],
    close_timeout: float,
    ack: bool,
    route: Route,
    **of_ack: Any,
) -> None:
    """Pipe FILE, or standard input for "-", into a server.

    At the end our half of the connection is closed, and the server's closing is the
    confirmation that it has read everything.  What the server says meanwhile is dropped.

    With --ack each FILE is sent to the stream of its name, and folders with all the files beneath
    them, by the protocol of docs/protocol-ack.md: what the server has already is not sent again.
    """
    if not words:
        raise click.UsageError("Missing argument FILE.")
    if ack:
        output.totals |= {"sent": 0, "acked": 0, "resumed": 0, "ok": False}
        from socketsuite.cli.send_ack import send_acknowledged

        address, files = _split(words, route)
        target = route.to(address, _DEFAULT_ACK_PORT)
        output.peer = target.peer
        send_acknowledged(output, target, files, **of_ack)
        return
    for name in _OF_ACK:
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            raise click.UsageError(f"--{name.replace('_', '-')} needs --ack.")
    _send_plainly(output, words, close_timeout, route)


def _split(words: Sequence[str], route: Route) -> tuple[Sequence[str], Sequence[str]]:
    """Return the words that are an address, and those that are files."""
    if route.unix is not None:
        return [], words
    count = min(len(words) - 1, 1 if split_host(words[0])[1] is not None else 2)
    return words[:count], words[count:]


def _send_plainly(output: Output, words: Sequence[str], close_timeout: float, route: Route) -> None:
    from socketsuite.cli.run import run
    from socketsuite.cli.upload import upload

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
