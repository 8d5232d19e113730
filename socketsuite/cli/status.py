"""``socketsuite status``: what a daemon's admin socket tells, once or as a live view.

This module must not know how a status looks; see :mod:`socketsuite.cli.status_view`.
"""

from __future__ import annotations

import os
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from socketsuite.cli import terminal
from socketsuite.cli.options import (
    SECONDS,
    epilog,
    json_option,
    pass_output,
)
from socketsuite.cli.output import Output
from socketsuite.transport.dial.failed import Failed
from socketsuite.transport.dial.target import Target

if TYPE_CHECKING:
    from socketsuite.cli.admin_talk import Show

VARIABLE = "SOCKETSUITE_ADMIN"
RUN = Path("/run")

admin_option = click.option(
    "--admin",
    "paths",
    multiple=True,
    metavar="PATH",
    help=f"The daemon's admin socket; may be repeated. Else {VARIABLE}, else"
    f" {RUN}/socketsuite*/*admin.sock.",
)
# Not every *.sock: what is said to a chat's own socket is heard by people.
_PATTERNS = ("socketsuite*/*admin.sock", "socketsuite*/*/*admin.sock")


@click.command(
    epilog=epilog(
        [
            "socketsuite status",
            "socketsuite status --admin /run/socketsuite/admin.sock --watch",
            "socketsuite status --json | jq '.connections[]?.peer'",
            "socketsuite status --close 7",
        ],
        "no daemon answers there, or it refuses",
        "success, or the daemon that was watched has ended",
    )
)
@admin_option
@click.option(
    "--watch",
    type=SECONDS,
    is_flag=False,
    flag_value=1.0,
    metavar="[SECONDS]",
    help="Show it again and again, each second unless said.",
)
@click.option("--close", "number", type=int, metavar="ID", help="Close that connection.")
@click.option("--drain", is_flag=True, help="Let the daemon finish, and end.")
@click.option(
    "--limit",
    type=click.IntRange(0, 10_000),
    default=1000,
    show_default=True,
    help="Connections to list, the largest queue first.",
)
@click.option(
    "--timeout",
    type=SECONDS,
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long connecting, and an answer, may take.",
)
@json_option
@pass_output
def status(
    output: Output,
    paths: Sequence[str],
    watch: float | None,
    number: int | None,
    drain: bool,
    limit: int,
    timeout: float,
) -> None:
    """Show a daemon's listeners and connections; close one, or let the daemon finish.

    The daemon was started with --admin PATH. Without a path, those in
    /run/socketsuite*/ and $XDG_RUNTIME_DIR/socketsuite*/ are found.

    Keys of --watch: q quits, s sorts by the next column, r reverses the order, the arrows,
    PgUp, PgDn, Home and End scroll.
    """
    from socketsuite.cli.run import run

    if sum((watch is not None, number is not None, drain)) > 1:
        raise click.UsageError("Give one of --watch, --close and --drain.")
    found = find(paths, os.environ, RUN)
    if len(found) > 1 and (watch is not None or number is not None or drain):
        names = ", ".join(found)
        raise click.UsageError(f"Several daemons are there: say which by --admin: {names}.")
    targets = [Target("", 0, path, None, timeout) for path in found]
    output.peer = targets[0].peer if len(targets) == 1 else None
    if watch is not None:
        request = {"command": "watch", "interval": min(max(watch, 0.1), 60.0), "limit": limit}
        run(lambda reactor: _watch(reactor, targets[0], request, output), output)
    elif number is not None:
        request = {"command": "close", "id": number}
        run(lambda reactor: _order(reactor, targets[0], request, output), output)
    elif drain:
        request = {"command": "drain"}
        run(lambda reactor: _order(reactor, targets[0], request, output), output)
    else:
        request = {"command": "status", "limit": limit}
        run(lambda reactor: _status(reactor, targets, request, output), output)


def find(paths: Sequence[str], environ: Mapping[str, str], folder: Path) -> list[str]:
    """Return the admin sockets: those said, else the variable's, else those that are found.

    :param folder: ``/run``, where systemd makes each unit's RuntimeDirectory.
    :raises Failed: when there is none.
    """
    said = list(paths) or [one for one in environ.get(VARIABLE, "").split(":") if one]
    folders = [folder, *(Path(one) for one in [environ.get("XDG_RUNTIME_DIR", "")] if one)]
    found = said or sorted({str(path) for each in folders for path in _sockets(each)})
    if not found:
        raise Failed(
            f"No daemon's admin socket in {folder}/socketsuite*/: start the daemon with"
            f" --admin PATH, and say the same --admin PATH here or in {VARIABLE}.",
            "no-daemon",
        )
    return found


def _sockets(folder: Path) -> Iterator[Path]:
    for pattern in _PATTERNS:
        for path in folder.glob(pattern):
            try:
                if path.is_socket():
                    yield path
            except OSError:  # not for us to look at; connecting says why
                yield path


async def _status(
    reactor: Any, targets: Sequence[Target], request: Mapping[str, Any], output: Output
) -> None:
    """Show every daemon; those that cannot be asked are told of, and make it fail."""
    from socketsuite.cli.admin_talk import talk

    failed = 0
    for target in targets:
        try:
            await talk(reactor, target, request, _shower(target, output))
        except Failed as error:
            if len(targets) == 1:
                raise
            failed += 1
            if output.as_json:
                output.row("status", peer=target.peer, error=error)
            output.note(str(error))
    if failed:
        text = f"{failed} of {len(targets)} daemons could not be asked"
        raise Failed(text, "no-daemon", silent=True)


def _shower(target: Target, output: Output) -> Show:
    """Return what shows one status on standard output, whatever that is."""

    def show(answer: Mapping[str, Any]) -> None:
        if output.as_json:
            output.row("status", peer=target.peer, **answer)
            return
        from socketsuite.cli import status_view

        if os.isatty(1):
            from socketsuite.cli.columns import rendered

            colour = terminal.is_capable(1)
            for line in status_view.whole(answer, terminal.size(1)[0]):
                output.line(rendered(line, colour=colour))
        else:
            output.line(status_view.plain(answer))

    return show


async def _order(reactor: Any, target: Target, request: Mapping[str, Any], output: Output) -> None:
    from socketsuite.cli.admin_talk import talk

    def tell(answer: Mapping[str, Any]) -> None:
        closed = answer.get("closed")
        if not output.as_json:
            output.line("draining" if closed is None else f"closed {closed}")
        elif closed is None:
            output.row("draining", peer=target.peer)
        else:
            output.row("closed", peer=target.peer, id=closed)

    await talk(reactor, target, request, tell)


async def _watch(reactor: Any, target: Target, request: Mapping[str, Any], output: Output) -> None:
    from twisted.internet.defer import Deferred

    from socketsuite.cli.admin_talk import talk

    quit_: Deferred[None] = Deferred()

    def watching(show: Show) -> Coroutine[Any, Any, bool]:
        return talk(reactor, target, request, show, until=quit_)

    if output.as_json or not terminal.is_capable(1):
        await watching(_shower(target, output))
        return
    from socketsuite.cli.status_watch import Watch

    screen = Watch(reactor, output, quit_)
    with screen.on_screen():
        ended = await watching(screen.show)
    if ended:
        output.note("The daemon has ended.")
