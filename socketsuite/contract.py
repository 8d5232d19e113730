"""What a service's object may have beside what a factory has, each part of it for itself.

The daemon looks for these methods by their names, also through Twisted's wrapping factories;
nobody needs to inherit from the classes here, which are for type checkers and readers.  A method
that raises, answers nonsense, or takes long costs what it would have told, and one line of the
log.  This module must not know of any daemon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from socketsuite.figures import Figure

Level = Literal["debug", "info", "warn", "error"]


class HasMetrics(Protocol):
    """A service that has figures of its own, for ``/metrics`` and the status."""

    def metrics(self) -> Mapping[str, float] | Iterable[Figure]:
        """Return them as they are now, quickly: the event loop waits.

        Either numbers by name, of which those that end in ``_total`` are counters and all others
        gauges, or a :class:`~socketsuite.figures.Figures`.  At most 64 figures, which come to at
        most 1000 numbers.
        """
        ...


class HasHealth(Protocol):
    """A service that knows whether what it needs is there."""

    def health(self) -> Mapping[str, bool | str | None]:
        """Return what there is to say of each check, by its name, at most 64.

        ``True`` and ``None`` are good; ``False``, and a text that says what is wrong, are not.
        To raise is to fail.  Asked for every ``/health``, ``/metrics`` and status, in the event
        loop, so it tells what it knows and waits for nothing: no coroutine, no Deferred.
        """
        ...


class HasStatusColumns(Protocol):
    """A service that knows more of a connection than the daemon does."""

    def status_columns(self, protocol: Any, /) -> Mapping[str, str | int | float]:
        """Return what to show of *protocol*, by the heading of the column.

        At most eight columns, of 64 characters each.

        :param protocol: the service's own, of a connection that is open, whatever wraps it.
        """
        ...


@dataclass(frozen=True)
class AdminCommand:
    """Something that an operator may have the service do, by ``socketsuite admin``.

    :param function: called with the operator's words, each a ``str``; what it returns is shown,
        and has to be of JSON's kinds.  It may return a Deferred or a coroutine, which has 30
        seconds, and is cancelled when the operator goes away.
    :param help: a line of what it does.
    :param usage: its words, such as ``NICK [REASON]``; else made of the parameters' names.
    """

    function: Callable[..., Any]
    help: str
    usage: str = ""


class HasAdminCommands(Protocol):
    """A service that an operator may tell what to do."""

    def admin_commands(self) -> Mapping[str, AdminCommand | Callable[..., Any]]:
        """Return the commands by name, at most 64: lower-case letters, digits, ``-`` and ``_``.

        The first line of a bare function's docstring is its help.
        """
        ...


class LogEvents(Protocol):
    """What a parameter named ``emit`` of the service's target is given."""

    def __call__(self, event: object, /, *, level: Level = "info") -> None:
        """Log *event*, an object of a dataclass of the service's own; raises nothing.

        ``Kicked(nick="bob", by="alice")`` is the line ``kicked nick=bob by=alice``, and an object
        in JSON and an entry of the journal with these fields in their types: texts, numbers,
        truth values.  ``None`` is left out, anything else becomes text.
        """
        ...


def ignore_events(event: object, /, *, level: Level = "info") -> None:
    """Do nothing: a :class:`LogEvents` for a service that no daemon serves, as in a test."""
