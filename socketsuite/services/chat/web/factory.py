"""The frontend ``web``: its settings, and the site it serves.

This module must not know what is served.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, ServerFactory

from socketsuite.contract import Daemon, LogEvents, ignore_events
from socketsuite.services.chat.chat import Chat, web_origin
from socketsuite.settings import setting


@dataclass(eq=False)
class WebFactory(ServerFactory):
    """The frontend ``web``.

    :param chat: whose hub everybody is in.
    :param daemon: knows whose word for a client's address is believed.
    """

    chat: Chat
    reactor: Any
    daemon: Daemon
    emit: LogEvents = ignore_events
    ping: float = setting(
        25.0, "seconds between two pings of a connection", minimum=0.1, unit="seconds"
    )
    max_sessions_per_host: int = setting(
        256, "sessions of Socket.IO at a time from one host (of IPv6, one /64)", minimum=1
    )
    framed_by: tuple[str, ...] = setting(
        (),
        "an origin whose pages may show this one in a frame",
        parse=web_origin,
        metavar="ORIGIN",
    )

    def __post_init__(self) -> None:
        # Eight megabytes, and a tenth of a second: only for those who have a web port.
        from socketsuite.services.chat.web.site import Around, ChatSite

        around = Around(
            self.reactor,
            self.daemon,
            self.emit,
            self.ping,
            self.max_sessions_per_host,
            self.framed_by,
        )
        self.site = ChatSite(self.chat, around)

    def startFactory(self) -> None:
        """Start the site."""
        self.site.startFactory()

    def stopFactory(self) -> None:
        """Stop the site."""
        self.site.stopFactory()

    def reload_service(self) -> None:
        """Let the site read again what files say."""
        self.site.reload_service()

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Return a protocol for one caller."""
        protocol: Protocol | None = self.site.buildProtocol(addr)
        return protocol
