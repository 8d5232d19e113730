"""Client commands of other packages: the entry points of the group ``socketsuite.commands``.

They are looked for when ``--help`` lists them, and when a word is no built-in command's name; what
one costs, or breaks, is its own.  This module must not know what any command does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

import click

from socketsuite.transport.dial.failed import Failed

GROUP = "socketsuite.commands"
_LONGEST_REASON = 200


@dataclass(frozen=True)
class InstalledCommand:
    """A command that a package declares; nothing of it is imported yet.

    :ivar package: the name of the distribution.
    """

    name: str
    package: str
    entry: metadata.EntryPoint

    def load(self) -> click.Command:
        """Import it.

        :raises Failed: when that fails, or gives something else, with the reason in one line.
        """
        try:
            found = self.entry.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - what its module does is not ours
            raise Failed(f"{type(error).__name__}: {_one_line(error)}") from None
        if not isinstance(found, click.Command):
            raise Failed(f"{self.entry.value} is not a click command")
        return found

    def summary(self) -> str:
        """Return the line of ``--help`` for it; imports it."""
        try:
            text = self.load().get_short_help_str(limit=_LONGEST_REASON)
        except Failed as error:
            text = f"unavailable: {error}"
        return f"{text} ({self.package})"


def installed_commands() -> dict[str, list[InstalledCommand]]:
    """Return every command that is installed, by name; where several have one name, the first
    is the one to run.
    """
    found: dict[str, list[InstalledCommand]] = {}
    for one in sorted(_declared(), key=lambda one: (one.name, one.package)):
        same = found.setdefault(one.name, [])
        # A package that is found on two folders of the path is still one.
        if one.package not in [other.package for other in same]:
            same.append(one)
    return found


def _declared() -> Iterator[InstalledCommand]:
    for package in metadata.distributions():
        try:
            entries = [entry for entry in package.entry_points if entry.group == GROUP]
            name = package.metadata["Name"] if entries else None
        except Exception:  # noqa: BLE001 - the remains of a package; nothing of it is installed
            continue
        if name:
            for entry in entries:
                yield InstalledCommand(entry.name, name, entry)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"
