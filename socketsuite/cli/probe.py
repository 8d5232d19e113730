"""``socketsuite probe``: which ports of a host accept a connection.

This module must not know how a connection is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from socketsuite.cli.options import (
    Route,
    epilog,
    pass_output,
    port_number,
    split_host,
    stream_options,
)
from socketsuite.cli.output import Output
from socketsuite.cli.terminal import is_capable
from socketsuite.cli.verbose import facts_row, note_facts, verbose_option
from socketsuite.transport.dial.failed import Failed
from socketsuite.transport.dial.target import Target

if TYPE_CHECKING:
    from socketsuite.cli.probing import Finding

_COLOURS = {"open": "green", "closed": "red", "filtered": "yellow"}


@click.command(
    epilog=epilog(
        [
            "socketsuite probe localhost 9000 40000-40001",
            "socketsuite probe example.net:http,https [::1]:8000-8010",
            "socketsuite probe --tls --cafile ca.pem chat.example.net 9000",
            "socketsuite probe --unix /run/socketsuite/chat.sock",
        ],
        "some port is not open",
        "all are open",
    )
)
@click.argument("words", nargs=-1, metavar="HOST PORT... | HOST:PORT...")
@verbose_option
@stream_options
@pass_output
def probe(output: Output, words: Sequence[str], verbose: bool, route: Route) -> None:
    """Tell which ports are open, one line for each, in the order given.

    PORT is a port, a service's name (http), a range (8000-8010), or several of them
    between commas.

    open: a connection was made. closed: it was refused, or cannot be. filtered: nothing
    answered within --timeout.

    With --tls, open also means that the certificate is verified, and that the server does
    without ours if none is given. One that asks for a certificate tells its verdict only
    after the handshake of TLS 1.3: the first thing that it says then is waited for, up to a
    second; if it says nothing, the port is open.
    """
    from socketsuite.cli.probing import probe_all
    from socketsuite.cli.run import run

    ranges = list(_ranges(words, route))
    output.totals |= {"open": 0, "closed": 0, "filtered": 0}

    def show(found: Finding) -> None:
        output.totals[found.state] += 1
        _show(found, output, verbose)

    async def work(reactor: Any) -> None:
        await probe_all(reactor, _targets(ranges), show)
        others = output.totals["closed"] + output.totals["filtered"]
        if others:
            count = others + output.totals["open"]
            raise Failed(f"{others} of {count} ports are not open", "not-open", silent=True)

    run(work, output)


def _ranges(words: Sequence[str], route: Route) -> Iterator[tuple[Target, range]]:
    if route.unix is not None:
        yield route.to(words, 0), range(1)
        return
    target: Target | None = None
    some = False
    for word in words:
        host, listed = split_host(word)
        if listed is not None or target is None:
            if target is not None and not some:
                break
            target, some = route.to([host], 0), False
        if listed is None:
            if host is words[0]:
                continue  # the HOST of HOST PORT...
            listed = word
        for part in listed.split(","):
            yield target, _ports(part)
            some = True
    if not some:
        raise click.UsageError("Give HOST and at least one PORT.")


def _targets(ranges: Sequence[tuple[Target, range]]) -> Iterator[Target]:
    for target, ports in ranges:
        for port in ports:
            yield replace(target, port=port)


def _ports(word: str) -> range:
    """Return the ports that *word* names: ``80``, ``http``, ``8000-8010``."""
    low, dash, high = word.partition("-")
    if not dash or not low.isdigit():
        port = port_number(word)  # a service's name may have a dash in it
        return range(port, port + 1)
    first, last = port_number(low), port_number(high)
    if first > last:
        raise click.UsageError(f"{word!r} is an empty range.")
    return range(first, last + 1)


def _show(found: Finding, output: Output, verbose: bool) -> None:
    peer, where, state = found.target.peer, found.target.unix or found.target.peer, found.state
    if output.as_json:
        more = facts_row(found.facts) if verbose else {}
        times: dict[str, Any] = {"duration": found.seconds, "error": found.error}
        output.row("port", peer=peer, **times, state=state, **more)
        return
    if verbose:
        note_facts(output, found.target, found.facts)
    shown = click.style(state, fg=_COLOURS[state]) if is_capable(1) else state
    output.line(f"{where} {shown}" + (f" ({found.error.cause})" if found.error else ""))
