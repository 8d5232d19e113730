"""``socketsuite connect``: the command around a conversation with one server.

This module must not know how the bytes travel; see :mod:`socketsuite.cli.conversation`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from socketsuite.cli.options import (
    Route,
    address_argument,
    epilog,
    pass_output,
    stream_options,
)
from socketsuite.cli.output import Output
from socketsuite.cli.verbose import facts_row, note_facts, verbose_option

if TYPE_CHECKING:
    from socketsuite.transport.dial.facts import Facts

_DEFAULT_PORT = 9000


@click.command(
    epilog=epilog(
        [
            "socketsuite connect localhost 9000",
            "printf 'hello\\n' | socketsuite connect --tls chat.example.net 9000",
            "socketsuite connect -v --tls example.net 443 < /dev/null",
            "socketsuite connect --exit-word exit localhost 8080",
        ],
        "no server, TLS not verified, connection lost, or output closed",
        "the server, or the exit word, ended the conversation",
    )
)
@address_argument(_DEFAULT_PORT)
@click.option("--exit-word", metavar="WORD", help="A typed line equal to it ends the client.")
@verbose_option
@stream_options
@pass_output
def connect(
    output: Output, address: Sequence[str], exit_word: str | None, verbose: bool, route: Route
) -> None:
    """Join your terminal, or a pipe, to a server.

    Standard input goes to the server as it is, and what comes back goes to standard
    output, byte for byte.  The end of the input half-closes the connection (over TLS by
    the close_notify alert) and waits for the rest of the answer.

    With --json the result follows on standard error: standard output is the server's.
    """
    from socketsuite.cli.conversation import converse
    from socketsuite.cli.run import run

    target = route.to(address, _DEFAULT_PORT)
    output.peer = target.peer
    word = os.fsencode(exit_word) if exit_word is not None else None

    def tell(facts: Facts | None) -> None:
        if not verbose or facts is None:
            return
        note_facts(output, target, facts)
        if output.as_json:
            output.row("connected", peer=target.peer, **facts_row(facts))

    async def work(reactor: Any) -> None:
        await converse(reactor, target, word, output, tell)

    run(work, output)
