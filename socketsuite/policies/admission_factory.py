"""The factory in front of a service's own, which admits callers or refuses them.

Must not know how bytes move, nor what a protocol says.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger

from socketsuite.policies.connections import Connections
from socketsuite.reasons import DECLINED
from socketsuite.service import MAIN


class AdmissionFactory(Factory):
    """The factory in front of a service's own: it admits or refuses, then steps aside.

    Once a connection is admitted its protocol is the service's own, so the gate costs
    nothing per message.

    :param kind: what the connections are called in events.
    :param by_proxy: whether the registry decides later, when the real peer is known.
    :ivar inside: whether something stands around it that has no use for ``None``, as Twisted's
        wrapping factories have none; who is admitted is then decided in front of that.  Both may
        be set until the first connection.
    :param frontend: the name of the frontend that *factory* is.
    """

    inside = False
    noisy = False
    _log = Logger()

    def __init__(
        self,
        factory: IProtocolFactory,
        connections: Connections,
        kind: str,
        *,
        by_proxy: bool,
        frontend: str = MAIN,
    ) -> None:
        self._factory = factory
        self._connections = connections
        self._kind = kind
        self.by_proxy = by_proxy
        self.frontend = frontend

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return the service's protocol, or ``None`` to close the connection at once."""
        if self.inside:
            return self._build(addr) or _Declined()
        if self.by_proxy:
            return self._build(addr)
        protocol, reason = None, self._connections.refusal(addr)
        if reason is None:
            protocol = self._build(addr)
        if protocol is None:
            self._connections.refused(addr, self._kind, reason or DECLINED, self.frontend)
        return protocol

    def _build(self, addr: IAddress | None) -> Any:
        try:
            return self._factory.buildProtocol(addr)  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001 - a stranger's code: it costs this connection alone
            self._log.failure("{service}: buildProtocol raised", service=self._connections.service)
            return None


class _Declined(Protocol):
    """In place of the protocol that the service did not make."""

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.abort(DECLINED)
