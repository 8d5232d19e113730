"""The ``socketsuite`` command line: finds the subcommand, and turns its end into a status.

A subcommand's module is imported only when it is used, so ``--help`` stays quick.  This
module must not know what any subcommand does, and must not import Twisted.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from socketsuite import __version__
from socketsuite.clients.failed import Failed
from socketsuite.framing.printable import printable

# The name and what --help says of it; the command is NAME in socketsuite.clients.NAME.
_COMMANDS = {
    "accumulate": "Send integers to an accumulator, show the sums it pushes.",
    "connect": "Join your terminal, or a pipe, to a server.",
    "ports": "Show the suite's listeners and connections.",
    "probe": "Tell which ports are open.",
    "send": "Pipe a file into a server.",
    "status": "Show a running daemon, close a connection, or drain.",
    "udp": "Send lines as datagrams, show the answers.",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"socketsuite.clients.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="'socketsuite COMMAND --help' shows each command's options, examples and exit status.",
)
@click.version_option(__version__, prog_name="socketsuite")
def socketsuite() -> None:
    """Clients for the suite's daemons, and for any other server."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit: 0 success, 1 failed, 2 usage error, 130 Ctrl-C.

    Whatever a user can cause is one line on standard error; with ``--json``, one JSON
    object on standard output (for ``connect``, whose standard output belongs to the
    server, on standard error).
    """
    _occupy_standard_descriptors()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads what we say.  Python would complain about that once more on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = 1
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def _occupy_standard_descriptors() -> None:
    """Open what ``<&-`` closed: a socket that became descriptor 1 would be printed into."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    # Python made None of what it found closed; click and json need something to write to.
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def _run(words: list[str]) -> int:
    try:
        # click returns what the command returns, or the status it exits with.
        return int(socketsuite.main(words, "socketsuite", standalone_mode=False) or 0)
    except click.Abort:
        return 130
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        _complain(_usage_line(error), words)
        return error.exit_code
    except Failed as error:
        _complain(str(error), words)
        return 1


def _usage_line(error: click.ClickException) -> str:
    text = " ".join(error.format_message().split())
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return text
    return f"{context.command_path}: {text} See '{context.command_path} --help'."


def _complain(message: str, words: list[str]) -> None:
    # A message may quote a file name or a certificate: one line, and harmless.
    line = printable(message.encode("utf-8", "surrogateescape")).decode()
    if "--json" not in words:
        click.echo(line, err=True)
    else:
        stdout_is_data = words[:1] == ["connect"]
        click.echo(json.dumps({"event": "error", "message": line}), err=stdout_is_data)
