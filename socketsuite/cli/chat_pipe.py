"""``socketsuite chat`` where there is no terminal: lines in, lines out.

This module must not know of the command line, nor of prompt_toolkit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from socketsuite.cli.chat_client import ChatClient
from socketsuite.cli.chat_lines import ChatLine
from socketsuite.cli.descriptors import InputDescriptor
from socketsuite.cli.output import Output
from socketsuite.transport.dial.dialing import check_end, dial
from socketsuite.transport.dial.failed import Failed, os_cause
from socketsuite.transport.dial.target import Target


class _Input:
    """Standard input's end of it: every line is sent, with an end also where it has none."""

    def __init__(self, reactor: Any, client: ChatClient) -> None:
        self._client = client
        self._input = InputDescriptor(reactor, 0, self._read, self._ended)
        self._in_line = False
        self.error: OSError | None = None

    def start(self) -> None:
        self._client.transport.registerProducer(self._input, True)
        self._input.resumeProducing()

    def _read(self, data: bytes) -> None:
        self._in_line = not data.endswith(b"\n")
        self._client.send(data)

    def _ended(self, error: OSError | None) -> None:
        self.error = error
        if self._in_line:
            self._client.send(b"\n")  # a server drops what has no end
        self._client.transport.unregisterProducer()
        if error is None:
            self._client.end()
        else:
            self._client.transport.loseConnection()


def show_in(output: Output) -> Callable[[list[ChatLine]], None]:
    """Return what shows lines in *output*: as they are but harmless, or as objects."""

    def as_text(lines: list[ChatLine]) -> None:
        output.write("".join([f"{line.whole}\n" for line in lines]).encode())

    def as_rows(lines: list[ChatLine]) -> None:
        for one in lines:
            output.row(
                "line",
                peer=output.peer,
                room=one.room,
                nick=one.nick,
                text=one.text,
                kind=one.kind,
                said=one.said,
            )

    return as_rows if output.as_json else as_text


async def chat_in_pipes(reactor: Any, target: Target, first: list[str], output: Output) -> None:
    """Say *first* and then every line of standard input; show what comes.

    The end of standard input half-closes the connection, and waits for the server's end.

    :raises NoServer: when there is no server, or the connection is lost.
    :raises Failed: when standard input cannot be read.
    """
    client = ChatClient(show_in(output), output.totals)
    output.peer = await dial(reactor, target, client)
    client.send("".join([f"{line}\n" for line in first]).encode("utf-8", "surrogateescape"))
    typed = _Input(reactor, client)
    typed.start()
    reason = await client.gone
    if typed.error is not None:
        raise Failed(f"cannot read standard input: {os_cause(typed.error)}", "input")
    check_end(target, client, reason)
