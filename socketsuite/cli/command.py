"""The ``socketsuite`` command line: finds the subcommand, and turns its end into a status.

A subcommand's module is imported only when it is used, so ``--help`` stays quick.  Those of other
packages are looked for only where no built-in one is meant.  This module must not know what any
subcommand does, and must not import Twisted.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from socketsuite import __version__
from socketsuite.cli.output import Output
from socketsuite.cli.stopping import Stopped, catch, leave
from socketsuite.loading import without_collections
from socketsuite.transport.dial.failed import Failed, os_cause, os_code

if TYPE_CHECKING:
    from socketsuite.cli.installed import InstalledCommand

# The name and what --help says of it; the command is NAME in socketsuite.cli.NAME.
_COMMANDS = {
    "accumulate": "Send integers to an accumulator, show the sums it pushes.",
    "admin": "Run a service's own command, or list them.",
    "chat": "Talk in the rooms of a chat.",
    "connect": "Join your terminal, or a pipe, to a server.",
    "password": "Make a line of a chat's accounts out of a password.",
    "ports": "Show the suite's listeners and connections.",
    "probe": "Tell which ports are open.",
    "send": "Pipe a file into a server, or have files acknowledged.",
    "status": "Show a running daemon, close a connection, or drain.",
    "udp": "Send lines as datagrams, show the answers.",
    "verify": "Tell whether a file holds what was acknowledged.",
}


class _Unavailable(Failed):
    """A command that cannot be loaded, so nobody has looked at its options."""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return _installed_command(ctx, cmd_name)
        with without_collections():
            module = importlib.import_module(f"socketsuite.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))
        rows = []
        for name, found in _installed().items():
            hidden = found if name in _COMMANDS else found[1:]
            winner = "the built-in one" if name in _COMMANDS else f"that of {found[0].package}"
            for one in hidden:
                text = f"The command {name} of {one.package} is hidden by {winner}."
                ctx.ensure_object(Output).complain(text)
            if name not in _COMMANDS:
                rows.append((name, found[0].summary()))
        if rows:
            with formatter.section("Installed commands"):
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what it returns is nobody's exit status."""
        super().invoke(ctx)


def _installed() -> dict[str, list[InstalledCommand]]:
    # Not before it is wanted: to load what reads packages takes as long as a whole probe.
    from socketsuite.cli.installed import installed_commands

    return installed_commands()


def _installed_command(context: click.Context, name: str) -> click.Command | None:
    found = _installed().get(name)
    if found is None:
        return None
    context.ensure_object(Output).command = name
    try:
        return found[0].load()
    except Failed as error:
        text = f"The command {name} of {found[0].package} is unavailable: {error}"
        raise _Unavailable(text) from None


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="'socketsuite COMMAND --help' shows each command's options, examples and exit status.",
)
@click.version_option(__version__, prog_name="socketsuite")
def socketsuite() -> None:
    """Clients for the suite's daemons, and for any other server."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit: 0 success, 1 failed, 2 usage error, 130 Ctrl-C, 143 SIGTERM.

    Whatever a user can cause is one line on standard error; with ``--json``, the result
    that docs/clients.md describes.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    output = Output()
    output.command = next((word for word in words if word in _COMMANDS), None)
    try:
        catch()
        _occupy_standard_descriptors()
        status = _run(words, output)
    except Stopped as stopped:
        status = 128 + stopped.number
        output.finish(status, _stopped(stopped.number))
    leave(status)


def _stopped(number: int) -> Failed:
    if number == signal.SIGINT:
        return Failed("Interrupted.", "interrupted", silent=True)
    return Failed("Ended by SIGTERM.", "terminated", silent=True)


def _occupy_standard_descriptors() -> None:
    """Open what ``<&-`` closed: a socket that became descriptor 1 would be printed into."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    # Python made None of what it found closed; click needs something to write to.
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def _run(words: list[str], output: Output) -> int:
    status, failed = 1, None
    try:
        with output.printing():
            ended = socketsuite.main(words, "socketsuite", standalone_mode=False, obj=output)
        if ended == 0:  # click's own end, after --help
            return 0
        status, failed = (0, None) if ended is None else _left_with(ended)
    except click.exceptions.NoArgsIsHelpError as error:
        for line in error.format_message().splitlines():
            output.complain(line)
        return 2
    except click.ClickException as error:
        output.as_json = output.as_json or "--json" in words
        status, failed = error.exit_code, Failed(_usage_line(error), "usage")
    except click.Abort:
        failed = Failed("Aborted: standard input has ended.", "input")
    except SystemExit as error:  # of an installed command; none of ours calls sys.exit()
        if not error.code:
            return 0
        status, failed = _left_with(error.code)
    except Failed as error:
        if isinstance(error, _Unavailable):
            output.as_json = "--json" in words
        failed = error
    except OSError as error:
        failed = _refused(error)
    return output.finish(status, failed)


def _left_with(code: int | str) -> tuple[int, Failed]:
    """Return what becomes of a command that ends by ``ctx.exit(code)`` or ``sys.exit(code)``."""
    if isinstance(code, int):
        return code, Failed(f"Ended with the status {code}.", silent=True)
    return 1, Failed(str(code))


def _refused(error: OSError) -> Failed:
    """Return the failure for an ``OSError`` that nobody expected, as for want of descriptors."""
    name = f" ({os.fsdecode(error.filename)})" if isinstance(error.filename, (str, bytes)) else ""
    return Failed(f"Error: {os_cause(error)}{name}", os_code(error))


def _usage_line(error: click.ClickException) -> str:
    text = " ".join(error.format_message().split())
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return text
    return f"{context.command_path}: {text} See '{context.command_path} --help'."
