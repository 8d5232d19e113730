"""The observed connections on Twisted's own transport: the counting and bounding that it lacks.

This module must not know who observes, nor which port has which class.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp, unix
from twisted.protocols.tls import TLSMemoryBIOProtocol

from socketsuite.transport.observation import Observed
from socketsuite.transport.pieces import join_tail
from socketsuite.transport.proxied import ProxiedStock


class _ObservedStock(Observed):
    bytes_in = 0
    bytes_out = 0
    answered = 0
    _joined = 0
    offset: int
    dataBuffer: bytes
    _tempDataBuffer: list[bytes]
    _tempDataLen: int

    def _await_answer(self) -> None:
        if isinstance(self.protocol, TLSMemoryBIOProtocol):
            # A FIN without the close alert: it has no half-close, and nothing can be answered.
            self.loseConnection()
        else:
            super()._await_answer()

    def _close_without_producer(self) -> None:
        if isinstance(self.protocol, TLSMemoryBIOProtocol) and not self.disconnecting:
            self.protocol._shutdownTLS()  # its close alert, and then our loseConnection()
        super()._close_without_producer()

    def _dataReceived(self, data: bytes | None) -> Any:
        if data:
            self.bytes_in += len(data)
            if self.options.log_data:
                self.observer.received(self, data)  # type: ignore[arg-type]
        return super()._dataReceived(data)  # type: ignore[misc]

    def writeSomeData(self, data: bytes) -> Any:
        sent = super().writeSomeData(data)  # type: ignore[misc]
        if isinstance(sent, int):
            self.bytes_out += sent
            self.answered = self.bytes_in
        return sent

    @property
    def queued(self) -> int:
        """Bytes written by the protocol that the kernel has not taken."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen

    def startWriting(self) -> None:
        """Wait for the kernel to take more, and say so: it may never come to that."""
        super().startWriting()
        if not self.disconnected:
            self.observer.backpressured(self)  # type: ignore[arg-type]

    def write(self, data: bytes) -> None:
        if self._may_write():
            super().write(data)  # type: ignore[misc]
            self._joined = join_tail(self._tempDataBuffer, self._joined)

    def writeSequence(self, iovec: Any) -> None:
        if self._may_write():
            super().writeSequence(iovec)  # type: ignore[misc]
            self._joined = join_tail(self._tempDataBuffer, self._joined)

    def abortConnection(self) -> None:
        super().abortConnection()
        # What waits is not to be sent any more.
        self._tempDataBuffer.clear()
        self.dataBuffer, self.offset, self._tempDataLen = b"", 0, 0


class StockTCP(_ObservedStock, tcp.Server):
    """An accepted TCP connection."""


class StockUNIX(_ObservedStock, unix.Server):
    """An accepted Unix socket connection."""


class ProxiedStockTCP(ProxiedStock, StockTCP):
    """An accepted TCP connection that begins with a PROXY header."""


class ProxiedStockUNIX(ProxiedStock, StockUNIX):
    """An accepted Unix socket connection that begins with a PROXY header."""
