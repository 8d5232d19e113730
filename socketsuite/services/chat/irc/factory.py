"""The frontend ``irc``: makes a protocol for each caller, and looks after those who are silent.

This module must not know a command.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import Protocol, ServerFactory

from socketsuite import __version__
from socketsuite.services.chat.chat import Chat
from socketsuite.services.chat.irc.commands_renaming import tell_renamed
from socketsuite.services.chat.irc.multiline import end_late
from socketsuite.services.chat.irc.protocol import IRCChat
from socketsuite.services.chat.irc.registration import tell_news
from socketsuite.services.chat.irc.server import Server
from socketsuite.services.chat.motd import motd_lines
from socketsuite.settings import setting

REGISTRATION = 60.0
"""Seconds that a client has for coming in."""


@dataclass(eq=False)
class IRCFactory(ServerFactory):
    """The frontend ``irc``.

    :param chat: whose hub everybody is in.
    """

    chat: Chat
    reactor: Any
    ping: float = setting(
        120.0, "silence after which a client is asked whether it is there", minimum=0.1,
        unit="seconds",
    )  # fmt: skip
    dcc: bool = setting(False, "let DCC pass, by which clients connect to each other")

    sts_port: int = setting(
        0,
        "the TLS port that clients are to use and no other (STS), as they see it; 0 is none",
        minimum=0,
        maximum=65535,
    )
    sts_duration: float = setting(
        30 * 86400.0, "how long they remember that", minimum=0, unit="seconds"
    )

    def __post_init__(self) -> None:
        self.server = Server(
            self.chat,
            f"socketsuite-{__version__}",
            time.time(),
            self.dcc,
            self.sts_port,
            self.sts_duration,
            self._reload,
        )
        self.chat.hub.moves.append(
            lambda room, event: tell_renamed(self.server.clients, room, event)
        )
        self._offer = self.server.offer()
        self.chat.accounts_changed.append(self.reload_service)
        self.server.motd = lambda: motd_lines(self.chat.motd)
        self.chat.irc = self
        self._timer: IDelayedCall | None = None

    def startFactory(self) -> None:
        """Begin to look who is silent."""
        self._timer = self.reactor.callLater(self.ping / 4, self._look)

    def stopFactory(self) -> None:
        """Look no more."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def reload_service(self) -> None:
        """Tell clients of capabilities that came or went, with accounts or settings."""
        before, self._offer = self._offer, self.server.offer()
        if before != self._offer:
            for client in list(self.server.clients):
                tell_news(client, before)

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return a protocol for one caller."""
        return IRCChat(self.server, self.reactor)

    def _look(self) -> None:
        """Ask who is silent, and end who has not answered: one timer for all."""
        self._timer = self.reactor.callLater(self.ping / 4, self._look)
        now = self.reactor.seconds()
        for client in list(self.server.clients):
            silent = now - client.heard
            end_late(client, now)
            if client.person is None:
                if now - client.since > REGISTRATION:
                    client.end("Registration timed out")
            elif silent >= 2 * self.ping:
                client.end(f"Ping timeout: {int(silent)} seconds")
            elif silent >= self.ping and not client.pinged:
                client.pinged = True
                client.send("PING", self.server.name, source="")

    def _reload(self) -> None:
        # What `systemctl reload` does: the daemon reads everything again.
        os.kill(os.getpid(), signal.SIGHUP)
