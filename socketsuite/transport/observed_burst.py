"""The observed connections of the burst transport, which counts and bounds by itself.

This module must not know who observes, nor which port has which class.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from typing import Any

from socketsuite.reasons import USER_TIMEOUT
from socketsuite.transport.compiled import Writer
from socketsuite.transport.connection import BurstTCPServer, BurstUNIXServer
from socketsuite.transport.observation import Observed
from socketsuite.transport.proxied import ProxiedBurst
from socketsuite.transport.tls import BurstTLSServer


class _ObservedBurst(Observed):
    dataBuffer: bytes

    def set_reader(self, reader: Callable[[int], Any]) -> None:
        """Read by *reader* from now on, and tell the observer if it wants to hear of it."""
        told = partial(self._receive_and_tell, reader) if self.options.log_data else reader
        super().set_reader(told)  # type: ignore[misc]

    def _receive_and_tell(self, reader: Callable[[int], Any], size: int) -> Any:
        data = reader(size)
        if data:
            self.observer.received(self, bytes(data))  # type: ignore[arg-type]
        return data

    def arm(self) -> None:
        """Wait for the kernel to take more, and say so."""
        super().arm()  # type: ignore[misc]
        if not self.disconnected and (self.queued or self.disconnecting):
            self.observer.backpressured(self)  # type: ignore[arg-type]

    def receive_failed(self, error: Exception) -> None:
        """Tell a peer that vanished from one that closed."""
        if isinstance(error, OSError) and error.errno == errno.ETIMEDOUT:
            self.why = self.why or USER_TIMEOUT
        super().receive_failed(error)  # type: ignore[misc]

    def _look_after_queue(self) -> None:
        super()._look_after_queue()  # type: ignore[misc]
        if self.dataBuffer and not self.disconnected:
            self.observer.backpressured(self)  # type: ignore[arg-type]

    def _write_slow_path(self, data: bytes) -> None:
        if self._may_write():
            super()._write_slow_path(data)  # type: ignore[misc]

    def writeSequence(self, iovec: Any) -> None:
        if self._may_write():
            super().writeSequence(iovec)  # type: ignore[misc]


class ObservedTCP(_ObservedBurst, BurstTCPServer):
    """An accepted TCP connection."""


class ObservedTLS(_ObservedBurst, BurstTLSServer):
    """An accepted TLS connection."""


class ObservedUNIX(_ObservedBurst, BurstUNIXServer):
    """An accepted Unix socket connection."""


class ProxiedTCP(ProxiedBurst, ObservedTCP):
    """An accepted TCP connection that begins with a PROXY header."""


class ProxiedTLS(ProxiedBurst, ObservedTLS):
    """An accepted TLS connection that begins with a PROXY header."""


class ProxiedUNIX(ProxiedBurst, ObservedUNIX):
    """An accepted Unix socket connection that begins with a PROXY header."""


class CompiledTCP(Writer, ObservedTCP):
    """An accepted TCP connection of a compiled burst."""


class CompiledUNIX(Writer, ObservedUNIX):
    """An accepted Unix socket connection of a compiled burst."""


class CompiledProxiedTCP(Writer, ProxiedTCP):
    """One that begins with a PROXY header."""


class CompiledProxiedUNIX(Writer, ProxiedUNIX):
    """One over a Unix socket that begins with a PROXY header."""
