"""``socketsuite chat``: the command around a talk in a chat's rooms.

This module must not know how lines travel or are shown; see :mod:`socketsuite.cli.chat_terminal`
and :mod:`socketsuite.cli.chat_pipe`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click

from socketsuite.cli.options import (
    Route,
    address_argument,
    epilog,
    pass_output,
    stream_options,
)
from socketsuite.cli.output import Output
from socketsuite.settings import shown

_DEFAULT_PORT = 9000
_LONGEST_NAME = 64


def _name(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Return *value* if it can be a word of a command; the server judges the rest."""
    if value is None or (
        0 < len(value) <= _LONGEST_NAME and value.isprintable() and " " not in value
    ):
        return value
    raise click.BadParameter(
        f"{shown(value)} is not valid; allowed: 1 to {_LONGEST_NAME} characters without blanks."
    )


@click.command(
    epilog=epilog(
        [
            "socketsuite chat localhost 9000",
            "socketsuite chat --tls --nick alice --room cooking chat.example.net 9001",
            "echo 'the backup is done' | socketsuite chat --nick backup localhost 9000",
            "socketsuite chat --json localhost 9000 < /dev/null",
        ],
        "no server, TLS not verified, connection lost, or output closed",
        "you left, or the server ended the conversation",
    )
)
@address_argument(_DEFAULT_PORT)
@click.option("--nick", metavar="NAME", callback=_name, help="Say /nick NAME once connected.")
@click.option("--room", metavar="ROOM", callback=_name, help="Say /join ROOM once connected.")
@click.option("--bell", is_flag=True, help="Ring, and mark the line, where your nick is said.")
@click.option("--no-reconnect", is_flag=True, help="End when a connection is lost.")
@stream_options
@pass_output
def chat(
    output: Output,
    address: Sequence[str],
    nick: str | None,
    room: str | None,
    bell: bool,
    no_reconnect: bool,
    route: Route,
) -> None:
    """Talk in the rooms of a chat.

    On a terminal you have a line to type on that incoming lines leave alone: TAB completes
    nicks and commands, the arrows and Ctrl-R find earlier lines, /quit or Ctrl-D leaves.  A
    lost connection is made again.

    Elsewhere every line of standard input is sent, and every line that comes is written.  The
    end of the input half-closes the connection and waits for the server.
    """
    from socketsuite.cli.run import run

    target = route.to(address, _DEFAULT_PORT)
    output.peer = target.peer
    output.totals |= {"lines_in": 0, "lines_out": 0}
    first = [f"/nick {nick}"] if nick is not None else []
    first += [f"/join {room}"] if room is not None else []
    if output.as_json or not _has_terminal():

        async def work(reactor: Any) -> None:
            from socketsuite.cli.chat_pipe import chat_in_pipes

            await chat_in_pipes(reactor, target, first, output)

        run(work, output)
        return

    async def sit(reactor: Any) -> None:
        from socketsuite.cli.chat_terminal import Chatting

        chatting = Chatting(reactor, target, output, bell=bell, reconnects=not no_reconnect)
        await chatting.to_its_end(first)

    run(sit, output, on_asyncio=True)


def _has_terminal() -> bool:
    """Return whether there is a terminal to type on; NO_COLOR takes only the colours away."""
    capable = os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")
    return capable and os.isatty(0) and os.isatty(1)
