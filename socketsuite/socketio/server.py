"""A server of Socket.IO: its namespaces, and the resource or site where clients come in.

It must not know what its program does.
"""

from __future__ import annotations

from typing import Any

from twisted.web.resource import Resource

from socketsuite.socketio.adapter import Adapter
from socketsuite.socketio.client import Client
from socketsuite.socketio.engine import EngineResource, EngineServer, Session
from socketsuite.socketio.namespace import Namespace
from socketsuite.socketio.options import Options
from socketsuite.socketio.socket import Socket
from socketsuite.web.deadlines import Deadlines
from socketsuite.web.site import BoundedSite


class Server(Namespace):
    """A server of Socket.IO's protocol 5, over Engine.IO 4, and its namespace ``/``.

    :param reactor: for timers.
    :ivar resource: of ``twisted.web``, to be put at ``socket.io`` of a site.
    """

    def __init__(self, reactor: Any, options: Options | None = None) -> None:
        self.options = options = options or Options()
        self.reactor = reactor
        main: Adapter[Socket] = Adapter(reactor, options, "/")
        super().__init__(main)
        self._adapters = {"/": main}
        self._connects: Deadlines[Client] = Deadlines(
            reactor, options.connect_timeout, Client.connects_late
        )
        self._binaries: Deadlines[Client] = Deadlines(
            reactor, options.attachments_timeout, Client.attachments_late
        )
        self._engine = EngineServer(reactor, options, self._client)
        self.resource: Resource = EngineResource(self._engine)

    @property
    def sessions(self) -> int:
        """How many clients there are, whether they have entered a namespace or not."""
        return len(self._engine)

    def _client(self, session: Session) -> Client:
        return Client(session, self.options, self._adapters, self._connects, self._binaries)

    def of(self, name: str) -> Namespace:
        """Return the namespace of that *name*, such as ``/news``; the first time it is made.

        :raises ValueError: for a name that Socket.IO does not have.
        """
        if not name.startswith("/") or "," in name or "?" in name or len(name) > 100:
            raise ValueError(f"{name!r} is no namespace's name, such as /news")
        if name not in self._adapters:
            self._adapters[name] = Adapter(self.reactor, self.options, name)
        return Namespace(self._adapters[name])

    # ── where clients come in ───────────────────────────────────────────────────────

    def site(self, root: Resource | None = None, **named: Any) -> SocketIOSite:
        """Return a site with this server at ``/socket.io/``.

        :param root: of the site; it has nothing else without one.
        :param named: what else a :class:`~socketsuite.web.site.BoundedSite` is told, such as its
            ``limits``, or ``is_trusted`` for the proxies in front of it.
        """
        root = root or Resource()
        root.putChild(b"socket.io", self.resource)
        return SocketIOSite(self, root, **named)

    def close(self) -> None:
        """End every session; no more can be opened."""
        self._engine.close()


class SocketIOSite(BoundedSite):
    """A site whose daemon drains it by ending the sessions: their clients connect again."""

    def __init__(self, server: Server, root: Resource, **named: Any) -> None:
        super().__init__(root, reactor=server.reactor, **named)
        self._server = server

    def drain_service(self) -> None:
        """End every session."""
        self._server.close()
