"""The chat service: its settings, and the hub that all frontends share.

This module must not know any frontend.
"""

from __future__ import annotations

import hmac
import re
import time
from collections import Counter as CountOf
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import LoopingCall

from socketsuite.contract import AdminCommand, LogEvents, ignore_events
from socketsuite.figures import Counter, Figure, Gauge
from socketsuite.services.chat.flood import FloodLimits
from socketsuite.services.chat.history import HistoryLimits
from socketsuite.services.chat.history_path import reject_unsafe
from socketsuite.services.chat.history_writer import HistoryWriter
from socketsuite.services.chat.hub import Hub
from socketsuite.services.chat.keeping import forget_old, restore, write_anew
from socketsuite.services.chat.logins import Logins
from socketsuite.services.chat.motd import check_motd
from socketsuite.services.chat.operating import commands
from socketsuite.services.chat.person import Person
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.registering import Registering
from socketsuite.services.chat.rights import withdraw
from socketsuite.services.chat.sasl import Mechanism
from socketsuite.settings import byte_size, setting
from socketsuite.web.origins import Origins

# Seconds between two looks for what is too old.
_FORGET_EVERY = 30.0


def server_name(text: str) -> str:
    """Return the name of a server, which has the form of a host's."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}", text):
        raise ValueError("a host name, such as irc.example.org")
    return text


def web_origin(raw: Any) -> str:
    """Return an origin as browsers name it, such as ``https://example.org``; or ``*``."""
    try:
        Origins.of([raw])
    except (ValueError, AttributeError):
        raise ValueError("an origin such as https://example.org, or *") from None
    return str(raw)


def network_name(text: str) -> str:
    """Return the name of a network: letters, digits, ``-``, ``_`` and ``.``."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", text):
        raise ValueError("at most 32 letters, digits, '-', '_' and '.'")
    return text


@dataclass(eq=False)
class Chat:
    """The service's object; each frontend's factory is made with it.

    :param reactor: the clock of timers, and where threads come back to.
    :param emit: logs what an operator should know.
    :ivar flood: what frontends hold messages against, see :mod:`~socketsuite.services.chat.flood`.
    :ivar authenticate: whom frontends ask who somebody is; a failure that is a ``Refused`` is told.
    """

    reactor: Any
    emit: LogEvents = ignore_events
    lobby: str = setting("lobby", "the room of who says no command; #lobby on IRC")
    server_name: str = setting(
        "chat.localhost", "what IRC clients know the server as", parse=server_name
    )
    network_name: str = setting("socketsuite", "the name of the network", parse=network_name)
    motd: Path | None = setting(
        None, "a file whose lines greet who comes in by IRC", metavar="FILE", reload=True
    )
    history_lines: int = setting(
        1000, "lines kept of each room; 0 keeps none", minimum=0, maximum=1_000_000, reload=True
    )
    history_size: int = setting(
        1 << 20, "bytes kept of each room", parse=byte_size, metavar="BYTES", show="1M", reload=True
    )
    history_age: float = setting(
        7 * 86400.0,
        "how long a line is kept; 0 is for ever",
        minimum=0,
        unit="seconds",
        reload=True,
    )
    flood_burst: int = setting(
        10,
        "messages that one person may say at once, where there is a flood rate",
        minimum=1,
        reload=True,
    )
    flood_rate: float = setting(
        0.0, "messages a second that one person may say; 0 is no limit", minimum=0, reload=True
    )

    history_file: Path | None = setting(
        None, "keep rooms, topics and history in this file, over restarts", metavar="PATH"
    )
    accounts: Path | None = setting(
        None,
        "who has an account: lines that 'socketsuite password' prints",
        metavar="FILE",
        reload=True,
    )
    operators: Path | None = setting(
        None, "who is an operator of the server: such lines, too", metavar="FILE", reload=True
    )
    allow_origin: tuple[str, ...] = setting(
        (),
        "an origin whose pages may use the web frontend beside its own; * is all",
        parse=web_origin,
        metavar="ORIGIN",
    )
    register: bool = setting(
        False,
        "let people make accounts for themselves, in the file of --accounts",
        needs="accounts",
        reload=True,
    )
    server_password: str = setting(
        "", "what everybody has to say first, on frontends that ask", secret=True, reload=True
    )

    def __post_init__(self) -> None:
        # The frontend of IRC, once it is made: others carry its lines, too.
        self.irc: Any = None
        # What frontends do when the service drains, and what they count themselves.
        self.drains: list[Callable[[], object]] = []
        self.further_figures: list[Callable[[], list[Figure]]] = []
        self.logins = Logins(self.reactor)
        self._read_accounts()
        check_motd(self.motd)
        # Called when there is another account than before, or none where one was.
        self.accounts_changed: list[Callable[[], object]] = []
        self._registering = Registering(self.logins, self.emit, self._changed)
        self.limits = HistoryLimits(self.history_lines, self.history_size, self.history_age)
        self.flood = FloodLimits(self.flood_burst, self.flood_rate)
        self.writer: HistoryWriter | None = None
        if self.history_file is not None:
            self.writer = HistoryWriter(
                self.history_file,
                in_reactor=lambda *call: self.reactor.callFromThread(*call),
                emit=self.emit,
                write_anew=lambda: write_anew(self.hub),
            )
        journal = self.writer.queue if self.writer is not None else None
        self.hub = Hub(time.time, self.lobby, self.limits, self.owner_of, journal=journal)
        self._forgetting = LoopingCall(forget_old, self.hub)
        self._forgetting.clock = self.reactor

    def check_start(self) -> None:
        """See that the history's file could be opened; one that is not there is not made.

        :raises OSError: when it could not.
        """
        if self.history_file is not None:
            reject_unsafe(self.history_file)

    async def start_service(self) -> None:
        """Take back what the history's file holds.

        :raises OSError: when it cannot be used.
        """
        if self.writer is not None:
            restore(self.hub, await self.writer.start(self.limits, self.hub.now()))
        self._forgetting.start(_FORGET_EVERY, now=False)

    def stop_service(self) -> Deferred[None] | None:
        """Write what waits into the history's file, and close it."""
        if self._forgetting.running:
            self._forgetting.stop()
        return self.writer.stop() if self.writer is not None else None

    def drain_service(self) -> None:
        """Have those told that the server stops who have no connection of their own."""
        for drain in self.drains:
            drain()

    def health(self) -> dict[str, str | None]:
        """Return whether the history's file can be written."""
        return {"history": self.writer.trouble} if self.writer is not None else {}

    def settings_reloaded(self, changed: dict[str, Any]) -> None:
        """Obey changed limits of the history, and of how much one person may say."""
        self.limits.lines = self.history_lines
        self.limits.size = self.history_size
        self.limits.seconds = self.history_age
        forget_old(self.hub)
        self.flood.burst = self.flood_burst
        self.flood.rate = self.flood_rate

    def reload_service(self) -> None:
        """Read the accounts again; the event loop waits, a tenth of a second for 10,000.

        :raises SettingsError: for what is wrong with a file; the old accounts stay.
        """
        check_motd(self.motd)
        self._read_accounts()
        withdraw(self.hub, self.logins)
        self._changed()

    def _read_accounts(self) -> None:
        self.logins.read(self.accounts, self.operators)

    def _changed(self) -> None:
        for observer in self.accounts_changed:
            observer()

    # ── who somebody is ─────────────────────────────────────────────────────────────

    def owner_of(self, key: str) -> str | None:
        """Return the account that has the nick with that *key*, or one that looks like it."""
        return self.logins.book.owner_of(key)

    def authenticate(self, name: str, password: str, host: str) -> Deferred[str | None]:
        """Find out whose password that is; see :meth:`Logins.authenticate`."""
        if self.accounts is None and self.operators is None:
            return fail(Refused("no_accounts", name, "there are no accounts here"))
        return self.logins.authenticate(name, password, host)

    @property
    def can_register(self) -> bool:
        """Whether people may make accounts for themselves."""
        return self.register and self.accounts is not None

    def make_account(self, person: Person, password: str) -> Deferred[str]:
        """Make an account for *person*, of its nick; see :meth:`Registering.register`.

        :raises Refused: when there cannot be one.
        """
        if self.accounts is None or not self.register:
            raise Refused("no_accounts", "", "no accounts can be made here")
        return self._registering.register(self.accounts, person.nick, password, person.host)

    def check_operator(self, name: str, password: str, host: str) -> Deferred[str | None]:
        """Find out whether that is an operator's; see :meth:`Logins.check_operator`."""
        return self.logins.check_operator(name, password, host)

    def is_operator(self, account: str | None) -> bool:
        """Return whether who has logged in as *account* is an operator of the server."""
        return self.logins.is_operator(account)

    def check_server_password(self, text: str) -> bool:
        """Return whether *text* is the server's password; where there is none, all are."""
        said, wanted = (one.encode("utf-8", "replace") for one in (text, self.server_password))
        return not wanted or hmac.compare_digest(said, wanted)

    def sasl_mechanisms(self) -> list[str]:
        """Return the SASL mechanisms that can succeed now, the best first."""
        return self.logins.book.mechanisms

    def sasl(self, mechanism: str, host: str, certificate: Any = None) -> Mechanism:
        """Begin one of them; see :meth:`Logins.sasl`."""
        return self.logins.sasl(mechanism, host, certificate)

    def metrics(self) -> list[Figure]:
        """Return the figures of the chat."""
        hub = self.hub
        people = CountOf(person.frontend for person in hub.people.values())
        saved = [] if self.writer is None else self.writer.figures()
        too_fast = {verdict.value: count for verdict, count in self.flood.too_fast.items()}
        return [
            *saved,
            *(figure for further in self.further_figures for figure in further()),
            Counter("messages", "Messages said", hub.speech.messages),
            Counter("deliveries", "People they went to", hub.speech.deliveries),
            Counter("too_fast", "Messages not said at once", too_fast, labels=["verdict"]),
            Gauge("rooms", "Rooms there are", len(hub.rooms)),
            Gauge("accounts", "Accounts there are", len(self.logins.book.accounts)),
            Gauge("people", "People there are", dict(people), labels=["frontend"]),
        ]

    def admin_commands(self) -> dict[str, AdminCommand]:
        """Return what the daemon's operator may have the chat do."""
        return commands(self.hub)

    def status_columns(self, protocol: Any) -> dict[str, str]:
        """Return who a connection is, and in how many rooms."""
        # On a WebSocket it is the handler who knows.
        protocol = getattr(protocol, "handler", protocol)
        person: Person | None = getattr(protocol, "person", None)
        if person is None:
            return {}
        return {"nick": person.nick, "rooms": " ".join(person.rooms)}
