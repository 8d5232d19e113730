"""The gate in front of a service's datagram protocol.

Decides which datagrams reach the service, and keeps a failure inside one datagram.  Knows
nothing of what a service answers.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from socketsuite.addresses import endpoint_text
from socketsuite.observe.events import Events, Notice, Received, Refused
from socketsuite.policies.peers import DatagramPolicy
from socketsuite.reasons import Reason


class DatagramAdmission(DatagramProtocol):
    """Passes datagrams to *inner*, except those that *policy* refuses."""

    noisy = False
    _log = Logger()

    def __init__(
        self,
        inner: DatagramProtocol,
        events: Events,
        service: str,
        policy: DatagramPolicy,
        *,
        tell_data: bool,
        frontend: str,
    ) -> None:
        inner.noisy = False
        self._inner = inner
        self._received = inner.datagramReceived
        self._events = events
        self._service = service
        self._frontend = frontend
        self._refusal = policy.refusal
        if tell_data:
            self._received = self._tell

    def startProtocol(self) -> None:
        """Give the service the socket."""
        assert self.transport is not None
        self._inner.makeConnection(self.transport)

    def stopProtocol(self) -> None:
        """Tell the service that the socket is gone."""
        self._inner.stopProtocol()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Hand one datagram on, or refuse it."""
        reason = self._refusal(addr[0], addr[1])
        if reason is not None:
            self._refuse(reason, addr)
            return
        try:
            self._received(datagram, addr)
        except OSError as error:
            peer = endpoint_text(addr[0], addr[1])
            text = f"cannot answer {peer}: {error.strerror or error}"
            self._events.emit(Notice(self._service, text, "warn"))
        except Exception:  # noqa: BLE001 - a stranger's code: it costs this datagram alone
            self._log.failure("{service}: datagramReceived raised", service=self._service)

    def _tell(self, datagram: bytes, addr: Any) -> None:
        peer = endpoint_text(addr[0], addr[1])
        self._events.emit(Received(self._service, "udp", peer, datagram, self._frontend))
        self._inner.datagramReceived(datagram, addr)

    def _refuse(self, reason: Reason, addr: Any) -> None:
        peer = endpoint_text(addr[0], addr[1])
        event = Refused(self._service, "udp", peer, reason.label, frontend=self._frontend)
        self._events.emit(event)
