"""The commands that people type, read from their declarations: for manual pages and completions.

Must not know how a page or a completion is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import click

from socketsuite.cli.command import socketsuite
from socketsuite.daemon.config.flags import service_command, suite_command
from socketsuite.service import installed_services

_OURS = "socketsuite-"
_SUITE = "socketsuite"


@dataclass(frozen=True)
class Option:
    """One option: its flags, what its value is, and a line of help.

    :ivar metavar: what stands for the value; empty where it takes none.
    :ivar words: the values, where they are a few.
    """

    flags: tuple[str, ...]
    metavar: str
    help: str
    words: tuple[str, ...] = ()

    @property
    def value(self) -> Literal["none", "words", "file", "text"]:
        """What kind of value it takes."""
        if not self.metavar:
            return "none"
        if self.words:
            return "words"
        return "file" if self.metavar.startswith(("FILE", "PATH")) else "text"


@dataclass(frozen=True)
class Command:
    """What follows a program's name: a command, and its options."""

    name: str
    declared: click.Command

    @property
    def summary(self) -> str:
        """One line of what it does, without a full stop."""
        return self.declared.get_short_help_str(200).rstrip(".")

    @property
    def context(self) -> click.Context:
        """What click asks for where it writes help."""
        names = ["-h", "--help"]
        return click.Context(self.declared, info_name=self.name, help_option_names=names)

    @property
    def options(self) -> list[Option]:
        """Every option, in the order of the declarations, --help last."""
        context = self.context
        found = (one for one in self.declared.get_params(context) if isinstance(one, click.Option))
        return [_option(one, context) for one in found]


def _option(one: click.Option, context: click.Context) -> Option:
    takes_value = not (one.is_flag or one.count)
    metavar = one.make_metavar(context).strip("[]") if takes_value else ""
    parts = metavar.split("|")
    words = tuple(part for part in parts if not part.isupper()) if len(parts) > 1 else ()
    record = one.get_help_record(context)
    return Option((*one.opts, *one.secondary_opts), metavar, record[1] if record else "", words)


def clients() -> list[Command]:
    """Return the commands of ``socketsuite``."""
    return [Command(name, found) for name, found in _subcommands()]


def _subcommands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(socketsuite)
    for name in socketsuite.list_commands(context):
        found = socketsuite.get_command(context, name)
        assert found is not None
        yield name, found


def daemons() -> list[Command]:
    """Return the suite's own commands of ``twistd``."""
    services = sorted(installed_services().items())
    ours = [Command(name, service_command(one)) for name, one in services if name.startswith(_OURS)]
    return [Command(_SUITE, suite_command(_SUITE)), *ours]
