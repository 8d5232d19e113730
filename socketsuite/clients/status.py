"""``socketsuite status``: what a daemon's admin socket tells, once or as a live view.

This module must not know how a status looks; see :mod:`socketsuite.clients.status_view`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from socketsuite.clients.failed import Failed
from socketsuite.clients.options import SECONDS, Target, epilog, json_option

VARIABLE = "SOCKETSUITE_ADMIN"
RUN = Path("/run/socketsuite")
_PATTERNS = ("*.sock", "*/*.sock")
_LONGEST_ANSWER = 64 << 20

Show = Callable[[Mapping[str, Any]], None]


@click.command(
    epilog=epilog(
        [
            "socketsuite status --admin /run/socketsuite/chat.sock",
            "socketsuite status --watch",
            "socketsuite status --json | jq '.connections[].peer'",
            "socketsuite status --close 7",
        ],
        "no daemon answers there, or it refuses",
        "success, or the daemon that was watched has ended",
    )
)
@click.option(
    "--admin",
    "paths",
    multiple=True,
    metavar="PATH",
    help=f"The daemon's admin socket; may be repeated. Else {VARIABLE}, else {RUN}/*.sock.",
)
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
def status(
    paths: Sequence[str],
    watch: float | None,
    number: int | None,
    drain: bool,
    limit: int,
    timeout: float,
    as_json: bool,
) -> int:
    """Show a daemon's listeners and connections; close one, or let the daemon finish.

    The daemon was started with --admin PATH. With --json, one object a line.
    """
    from socketsuite.clients.run import run

    if sum((watch is not None, number is not None, drain)) > 1:
        raise click.UsageError("Give one of --watch, --close and --drain.")
    found = find(paths, os.environ, RUN)
    if len(found) > 1 and (watch is not None or number is not None or drain):
        names = ", ".join(found)
        raise click.UsageError(f"Several daemons are there: say which by --admin: {names}.")
    targets = [Target("", 0, path, None, timeout) for path in found]
    if watch is not None:
        request = {"command": "watch", "interval": min(max(watch, 0.1), 60.0), "limit": limit}
        return run(lambda reactor: _watch(reactor, targets[0], request, as_json))
    if number is not None:
        request = {"command": "close", "id": number}
        return run(lambda reactor: _order(reactor, targets[0], request, as_json))
    if drain:
        return run(lambda reactor: _order(reactor, targets[0], {"command": "drain"}, as_json))
    request = {"command": "status", "limit": limit}
    return run(lambda reactor: _status(reactor, targets, request, as_json))


def find(paths: Sequence[str], environ: Mapping[str, str], folder: Path) -> list[str]:
    """Return the admin sockets: those said, else the variable's, else those in *folder*.

    :raises click.UsageError: when there is none.
    """
    found = list(paths) or [one for one in environ.get(VARIABLE, "").split(":") if one]
    if not found:
        found = sorted(str(one) for pattern in _PATTERNS for one in folder.glob(pattern))
    if not found:
        raise click.UsageError(
            f"No admin socket: say --admin PATH or set {VARIABLE}; there is none in {folder}."
        )
    return found


class Answers:
    """Cuts what the daemon sends into its objects, and hands each to *tell*."""

    def __init__(self, tell: Show) -> None:
        self._tell = tell
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Take the next chunk.

        :raises ValueError: when this is no daemon's answer.
        """
        *ends, rest = data.split(b"\n")
        for end in ends:
            line, self._parts, self._size = b"".join([*self._parts, end]), [], 0
            answer = json.loads(line)
            if not isinstance(answer, dict):
                raise ValueError("not an object")
            self._tell(answer)
        self._parts.append(rest)
        self._size += len(rest)
        if self._size > _LONGEST_ANSWER:
            raise ValueError("too long")


async def _talk(
    reactor: Any, target: Target, request: Mapping[str, Any], tell: Show, *, go_on: bool
) -> None:
    """Send *request*, and hand every answer to *tell*; return after the first, or the end.

    What *tell* raises is raised here.
    """
    from twisted.internet.defer import CancelledError, Deferred
    from twisted.python.failure import Failure

    from socketsuite.clients.dialing import StreamClient, check_end, dial
    from socketsuite.clients.waiting import first_of

    over: Deferred[Any] = Deferred()

    def end(outcome: Any) -> None:
        if not over.called:
            over.callback(outcome)

    def told(answer: Mapping[str, Any]) -> None:
        if over.called:
            return
        if "error" in answer:
            raise Failed(f"The daemon refuses: {answer['error']}")
        tell(answer)
        if patience.active():
            patience.cancel()
        if not go_on:
            end(None)

    def feed(data: bytes) -> None:
        try:
            answers.feed(data)
        except ValueError:
            end(Failure(Failed(f"{target} is no admin socket: its answer is not JSON")))
        except Exception:  # noqa: BLE001 - raised again where it is awaited
            end(Failure())

    answers = Answers(told)
    client: Any = StreamClient()
    client.dataReceived = feed
    await dial(reactor, target, client)
    late = Failed(f"{target} does not answer within {target.timeout:g} s")
    patience = reactor.callLater(target.timeout, lambda: end(Failure(late)))
    try:
        client.transport.write(json.dumps(request).encode() + b"\n")
        # Cancelled by Ctrl-C, both end in a value: there is nobody left to tell.
        ends = (each.addErrback(lambda failure: failure.value) for each in (client.gone, over))
        reason, which = await first_of(*ends)
        if which == 1:
            if reason is not None:
                raise reason
            return
        if isinstance(reason, CancelledError):
            raise reason
        check_end(target, client, reason)
        if not go_on or patience.active():
            raise Failed(f"{target} closed the connection without an answer")
    finally:
        if patience.active():
            patience.cancel()
        client.transport.abortConnection()


async def _status(
    reactor: Any, targets: Sequence[Target], request: Mapping[str, Any], as_json: bool
) -> int:
    """Show every daemon; those that cannot be asked are told of, and make the status 1."""
    result = 0
    for target in targets:
        try:
            await _talk(reactor, target, request, _shower(as_json), go_on=False)
        except Failed as error:
            if len(targets) == 1:
                raise
            click.echo(str(error), err=True)
            result = 1
    return result


def _shower(as_json: bool) -> Show:
    """Return what shows one status on standard output, whatever that is."""

    def show(answer: Mapping[str, Any]) -> None:
        from socketsuite.clients import status_view

        if as_json:
            click.echo(json.dumps(answer))
        elif sys.stdout.isatty():
            from rich.console import Console

            Console().print(status_view.tables(answer))
        else:
            click.echo(status_view.plain(answer))

    return show


async def _order(reactor: Any, target: Target, request: Mapping[str, Any], as_json: bool) -> int:
    def tell(answer: Mapping[str, Any]) -> None:
        closed = answer.get("closed")
        words = "draining" if closed is None else f"closed {closed}"
        click.echo(json.dumps(answer) if as_json else words)

    await _talk(reactor, target, request, tell, go_on=False)
    return 0


async def _watch(reactor: Any, target: Target, request: Mapping[str, Any], as_json: bool) -> int:
    def watching(show: Show) -> Coroutine[Any, Any, None]:
        return _talk(reactor, target, request, show, go_on=True)

    if as_json or not sys.stdout.isatty():
        await watching(_shower(as_json))
        return 0

    from rich.console import Console
    from rich.live import Live

    from socketsuite.clients.status_view import tables

    console = Console()
    before: Mapping[str, Any] | None = None
    with Live(console=console, auto_refresh=False, screen=True) as live:

        def show(answer: Mapping[str, Any]) -> None:
            nonlocal before
            live.update(tables(answer, before, console.height), refresh=True)
            before = answer

        await watching(show)
    click.echo("The daemon has ended.", err=True)
    return 0
