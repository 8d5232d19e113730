"""``socketsuite probe``: which ports of a host accept a connection.

This module must not know how a connection is made.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import click

from socketsuite.clients.options import Route, Target, epilog, port_number, stream_options

_AT_ONCE = 64
_COLOURS = {"open": "green", "closed": "red", "filtered": "yellow"}


@dataclass(frozen=True)
class Finding:
    """What became of one port: *reason* is empty for an open one."""

    where: str
    state: Literal["open", "closed", "filtered"]
    reason: str
    seconds: float


@click.command(
    epilog=epilog(
        [
            "socketsuite probe localhost 9000 40000-40001",
            "socketsuite probe --tls --cafile ca.pem chat.example.net 9000",
            "socketsuite probe --unix /run/socketsuite/chat.sock",
        ],
        "some port is not open",
        "all are open",
    )
)
@click.argument("words", nargs=-1, metavar="HOST PORT...")
@stream_options
def probe(words: Sequence[str], as_json: bool, route: Route) -> int:
    """Tell which ports are open, one line for each, in the order given.

    PORT is a port or a range, 8000-8010.  open: a connection was made (with --tls, and
    the certificate verified). closed: it was refused, or cannot be. filtered: nothing
    answered within --timeout.

    With --json, one object per line.
    """
    from socketsuite.clients.run import run

    targets = list(_targets(words, route))

    async def work(reactor: Any) -> int:
        return await _probe_all(reactor, targets, as_json)

    return run(work)


def _targets(words: Sequence[str], route: Route) -> Iterator[Target]:
    if route.unix is not None:
        yield route.to(words, 0)
        return
    if len(words) < 2:
        raise click.UsageError("Give HOST and at least one PORT.")
    first = route.to([words[0]], 0)
    for word in words[1:]:
        for port in _ports(word):
            yield replace(first, port=port)


def _ports(word: str) -> range:
    low, dash, high = word.partition("-")
    first, last = port_number(low), port_number(high if dash else low)
    if first > last:
        raise click.UsageError(f"{word!r} is an empty range.")
    return range(first, last + 1)


async def _probe_all(reactor: Any, targets: list[Target], as_json: bool) -> int:
    from twisted.internet.defer import DeferredSemaphore

    turns = DeferredSemaphore(_AT_ONCE)
    findings = [turns.run(_probe_one, reactor, target) for target in targets]
    all_open = True
    for finding in findings:
        found = await finding
        all_open = all_open and found.state == "open"
        _show(found, as_json)
    return 0 if all_open else 1


async def _probe_one(reactor: Any, target: Target) -> Finding:
    from socketsuite.clients.dialing import NoServer, StreamClient, dial
    from socketsuite.observe.addresses import endpoint_text

    where = target.unix or endpoint_text(target.host, target.port)
    began = reactor.seconds()
    client = StreamClient()
    try:
        await dial(reactor, target, client)
    except NoServer as error:
        state: Literal["closed", "filtered"] = "filtered" if error.timed_out else "closed"
        return Finding(where, state, error.cause, reactor.seconds() - began)
    seconds = reactor.seconds() - began
    client.transport.loseConnection()
    return Finding(where, "open", "", seconds)


def _show(found: Finding, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"event": "probed", **asdict(found)}))
        return
    state: str = found.state
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        state = click.style(state, fg=_COLOURS[state])
    click.echo(f"{found.where} {state}" + (f" ({found.reason})" if found.reason else ""))
