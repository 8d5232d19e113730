"""The contract between a service and the daemon around it: a ``Protocol`` for each part of it.

The daemon looks for these methods by their names, also through Twisted's wrapping factories;
nobody needs to inherit from the classes here, which are for type checkers and readers.  A method
that raises, answers nonsense, or takes long costs what it would have told, and one line of the
log.  This module must not know of any daemon.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, ITransport

from socketsuite.figures import Figure

Level = Literal["debug", "info", "warn", "error"]


class HasCheckStart(Protocol):
    """A service that knows what would keep it from starting."""

    def check_start(self) -> None:
        """Raise what a start would, for ``--check-config``; change nothing.

        :raises OSError: for what the machine refuses.
        :raises socketsuite.settings.SettingsError: for what a user said wrongly.
        """
        ...


class HasStart(Protocol):
    """A service that takes its time to start."""

    def start_service(self) -> Awaitable[Any] | Deferred[Any] | None:
        """Begin; the sockets are bound, and nothing is accepted before this is done.

        A coroutine or a Deferred has ``--start-timeout`` seconds, and is cancelled then.  To
        raise ``OSError`` or ``SettingsError`` is one line for the user, anything else one that
        names it; exit status 1.
        """
        ...


class HasDrain(Protocol):
    """A service that wants to know when it drains.

    A protocol has a method for that, too: ``drain()`` asks it once to finish and close.
    """

    def drain_service(self) -> Awaitable[Any] | Deferred[Any] | None:
        """Nobody is accepted any more; what is returned is awaited for ``--drain-timeout``."""
        ...


class HasUnfinished(Protocol):
    """A protocol that may keep its peer waiting, for a disk or for another service."""

    def unfinished(self) -> bool:
        """Return whether it has yet to do what its peer asked.

        Such a connection is not idle, for ``--idle-timeout``; and where the daemon ends it, that
        is by a reset, so that no peer takes it for a good end.
        """
        ...


class HasStop(Protocol):
    """A service that takes its time to stop."""

    def stop_service(self) -> Awaitable[Any] | Deferred[Any] | None:
        """End; nothing is open any more.  What is returned is awaited for ``--stop-timeout``."""
        ...


class HasReload(Protocol):
    """A service, or a frontend's factory, that obeys changed settings."""

    def settings_reloaded(self, changed: Mapping[str, Any], /) -> None:
        """Obey *changed*, the new values by name, of settings with ``reload=True``.

        The attributes are set already.
        """
        ...


class HasReloadService(Protocol):
    """A service, or a frontend's factory, whose settings name files that it reads."""

    def reload_service(self) -> None:
        """Read the files again: called by every reload, whether or not a setting has changed.

        After all of ``settings_reloaded()``.  To raise ``OSError`` or ``SettingsError`` is one
        line of the log, and keeps what was read before; the reload goes on.  The event loop
        waits meanwhile.
        """
        ...


class HasDatagrams(Protocol):
    """A factory whose protocols speak UDP, or UDP too."""

    def buildDatagramProtocol(self) -> Any:
        """Return a new ``DatagramProtocol``; called once for each socket."""
        ...


class Daemon(Protocol):
    """What a parameter named ``daemon`` of the service's target is given."""

    @property
    def name(self) -> str:
        """The service's name: of its command, or of its table in the suite's file."""
        ...

    @property
    def draining(self) -> bool:
        """Whether the service finishes what it has begun, and begins nothing."""
        ...

    def is_proxy(self, host: str | None) -> bool:
        """Whether *host* is one of ``--proxy-from``, whose word for the client is believed.

        :param host: of a transport's peer; ``None`` is a caller of a Unix socket.
        """
        ...

    def forwarded(self, transport: ITransport | None, host: str) -> str | None:
        """Have a proxy's connection be *host*'s from now on: in limits, log and status.

        For a connection that serves one client to its end, such as a WebSocket, whose client
        HTTP has named; see :meth:`is_proxy`.  Without a *transport* it is only asked.

        :return: why *host* is not let in (a label of docs/operations.md), which the caller tells
            its client; ``None`` where it is.
        """
        ...

    def listenTCP(
        self,
        port: int,
        factory: IProtocolFactory,
        backlog: int = 50,
        interface: str = "",
        *,
        frontend: str | None = None,
        tls: bool = False,
    ) -> IListeningPort:
        """Listen as ``reactor.listenTCP`` does, under the limits of the service, in its registry.

        The caller closes the port by ``stopListening()``; what is open at the end of a drain is
        closed by the daemon.

        :param port: 0 lets the kernel choose.
        :param interface: an address of this machine; else the first ``--interface``.
        :param frontend: the label of its connections in log, metrics and status; else the first
            frontend's name.
        :param tls: speak TLS, with the daemon's certificate.
        :raises twisted.internet.error.CannotListenError: when it cannot.
        """
        ...


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


class CommandError(Exception):
    """Raised by an admin command for what the operator said wrongly: its text is the answer."""


@dataclass(frozen=True)
class AdminCommand:
    """Something that an operator may have the service do, by ``socketsuite admin``.

    :param function: called with the operator's words, each a ``str``; what it returns is shown,
        and has to be of JSON's kinds.  It may return a Deferred or a coroutine, which has 30
        seconds, and is cancelled when the operator goes away.  It raises :class:`CommandError`
        for what the operator said wrongly.
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
