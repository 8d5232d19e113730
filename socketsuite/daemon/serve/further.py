"""Ports that a service opens while it runs, such as FTP's for data, under the daemon's limits.

What a target with a parameter named ``daemon`` is given.  Must not know what is spoken there.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from socketsuite.contract import Daemon
from socketsuite.daemon.config.configuration import Configuration
from socketsuite.daemon.errors import StartError
from socketsuite.daemon.listen.settings import ListenSettings
from socketsuite.daemon.listen.sockets import bind_all
from socketsuite.daemon.serve.listeners import Listeners
from socketsuite.daemon.serve.tls_contexts import TLSContexts


class DaemonHandle(Daemon):
    """What a service may ask of the daemon around it; see :class:`socketsuite.contract.Daemon`.

    :param listeners: opens the ports.
    :param is_draining: whether the service drains.
    """

    def __init__(
        self,
        configuration: Configuration,
        listeners: Listeners,
        tls: TLSContexts,
        is_draining: Callable[[], bool],
    ) -> None:
        self._configuration = configuration
        self._listeners = listeners
        self._tls = tls
        self._is_draining = is_draining
        self._ports: WeakSet[Any] = WeakSet()

    @property
    def name(self) -> str:
        """The service's name."""
        return self._configuration.name

    @property
    def draining(self) -> bool:
        """Whether the service drains: it finishes what it has begun, and begins nothing."""
        return self._is_draining()

    def is_proxy(self, host: str | None) -> bool:
        """Whether *host* is one of ``--proxy-from``."""
        return self._listeners.is_proxy(host)

    def forwarded(self, transport: Any | None, host: str) -> str | None:
        """Have a proxy's connection be *host*'s, in limits, log and status."""
        return self._listeners.forwarded(transport, host)

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
        """Listen as ``reactor.listenTCP`` does, under the limits of this service."""
        given = self._configuration.listen
        if tls and self._tls.certificate is None:
            raise CannotListenError(interface, port, OSError(errno.EPROTO, "no --tls-cert"))
        wanted = ListenSettings(
            port=(port,),
            interface=(interface or given.interface[0],),
            backlog=backlog,
            keepalive=given.keepalive,
            user_timeout=given.user_timeout,
        )
        try:
            (bound,) = bind_all(wanted, tcp=True, udp=False)
        except StartError as error:
            raise CannotListenError(interface, port, error) from None
        bound.frontend = frontend or self._configuration.frontends[0].name
        try:
            made = self._listeners.open_further(bound, factory, tls=tls)
        except OSError as error:
            raise CannotListenError(interface, port, error) from None
        finally:
            bound.socket.close()
        self._ports.add(made)
        return made  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close the ports that are open still."""
        for port in list(self._ports):
            port.stopListening()
