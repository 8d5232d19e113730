"""TLS on the burst transport: OpenSSL straight on the socket, without a memory BIO.

The handshake is made step by step as the socket becomes readable, so it never blocks a
burst, and the protocol is connected only when it is complete: a peer that stalls in the
middle, or whose certificate is refused, never reaches the protocol.

TLS has a half-close of its own: the peer's close_notify ends its half, and
``loseWriteConnection`` sends ours while reading goes on.

This module must not know where a context comes from, nor of the suite around it.
"""

from __future__ import annotations

import errno
from typing import Any

from cryptography.hazmat.bindings.openssl.binding import Binding
from OpenSSL import SSL
from twisted.internet import main
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IHandshakeListener,
    INegotiated,
    ISSLTransport,
)
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from socketsuite.reasons import (
    CLOSED_IN_MID_STREAM,
    HANDSHAKE_FAILED,
    HANDSHAKE_TIMEOUT,
    LOST,
    TLS_ERROR,
    USER_TIMEOUT,
    Reason,
)
from socketsuite.transport.connection import LARGEST_READ, BurstTCPServer
from socketsuite.transport.options import TLSOptions

# The largest record.  A read of so many bytes, or more, takes all of one record, so nothing
# stays unseen inside OpenSSL while the socket itself is empty.
_RECORD_BYTES = 16384

# What pyOpenSSL does around these two calls, for each message, costs as much as a fifth of the
# message.  Where they are not to be had as they are here, its own ``recv`` and ``send`` serve.
_lib: Any = Binding.lib
_DIRECT = all(hasattr(_lib, name) for name in ("SSL_read", "SSL_write")) and hasattr(
    SSL.Connection, "_raise_ssl_error"
)
if _DIRECT:
    _read, _write = _lib.SSL_read, _lib.SSL_write
# Where OpenSSL puts what it has decrypted; copied out before anything else is.
_plaintext: Any = Binding.ffi.new("char[]", _RECORD_BYTES)
_in_plaintext: Any = Binding.ffi.buffer(_plaintext)


class Unconnected(Protocol):
    """Stands where the protocol will be, until the handshake is complete."""

    stands_in = True

    def drain(self) -> None:
        """Nobody has been served yet: there is nothing to finish."""
        transport: Any = self.transport
        transport.abortConnection()


@implementer(ISSLTransport, INegotiated)
class BurstTLSServer(BurstTCPServer):
    """An accepted TLS connection of a burst; its port's options say how."""

    why: Reason | None = None

    # Whether a close waits for the producer that is registered, as it does on Twisted's TLS.
    awaits_producer = True

    _waiting: Any = None
    _notify_waits = False
    _deadline: IDelayedCall | None = None

    def begin(self) -> None:
        """Start the handshake; the protocol is connected at its end."""
        self._waiting, self.protocol = self.protocol, Unconnected()
        self.protocol.makeConnection(self)
        server: Any = self.server
        options: TLSOptions = server.options.tls
        self._tls = SSL.Connection(options.new_context(), self.socket)
        self._tls.set_accept_state()
        self.set_reader(self._do_handshake)
        self.read_size = LARGEST_READ
        self.send = self._encrypt
        self._ssl = getattr(self._tls, "_ssl", None)
        clock: Any = self.reactor
        self._deadline = clock.callLater(options.handshake_seconds(), self._late)

    # ── handshake ───────────────────────────────────────────────────────────────────

    def _late(self) -> None:
        self._deadline = None
        self.why = HANDSHAKE_TIMEOUT
        self.abortConnection()

    def _do_handshake(self, _size: int) -> bytes:
        """Take the handshake one step further; at its end connect the protocol.

        What came with its end is still with the kernel, record by record, and is read by the
        next burst, if the protocol has not paused its transport by then.

        :raises BlockingIOError: always, but when the handshake has failed.
        :raises OSError: when it has.
        """
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            raise BlockingIOError from None
        except SSL.WantWriteError:
            self.arm()
            raise BlockingIOError from None
        except SSL.Error as error:
            self.why = handshake_reason(error, self._tls)
            raise OSError(self.why.detail) from None
        self._forget_deadline()
        self.set_reader(self._decrypt if _DIRECT else self._tls.recv)
        self.protocol, self._waiting = self._waiting, None
        try:
            self.protocol.makeConnection(self)
            usable = self.connected and not self._aborting
            if usable and IHandshakeListener.providedBy(self.protocol):
                self.protocol.handshakeCompleted()
        except BaseException:  # whatever it is, it is not the socket's
            self.burst.fail(self)
        raise BlockingIOError

    def doWrite(self) -> Any:
        """Write on; in a handshake, that is the handshake's own next flight."""
        if self._waiting is None:
            if self._notify_waits:
                self.stopWriting()
                self._send_close_notify()
                return None
            return super().doWrite()
        self.stopWriting()
        try:
            self._do_handshake(0)
        except BlockingIOError:
            pass
        except OSError as error:
            self.receive_failed(error)
        return None

    def loseConnection(self) -> None:
        """Close; in a handshake at once, since there is nothing that could be said first."""
        if self._waiting is not None:
            self.abortConnection()
        else:
            super().loseConnection()

    def loseWriteConnection(self) -> None:
        """Close our half; in a handshake, that is all of it."""
        if self._waiting is not None:
            self.abortConnection()
        else:
            super().loseWriteConnection()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # ── bytes ───────────────────────────────────────────────────────────────────────

    def receive_failed(self, error: Exception) -> None:
        """OpenSSL gave no bytes: the next record is awaited, or one side has ended."""
        if isinstance(error, SSL.WantReadError):
            return
        if isinstance(error, SSL.WantWriteError):
            self.arm()
        elif isinstance(error, SSL.ZeroReturnError):
            self.burst.end_of_stream(self)
        else:
            if isinstance(error, SSL.Error):
                self.why = self.why or stream_reason(error)
                error = OSError(str(self.why))
            super().receive_failed(error)

    def _decrypt(self, _size: int) -> bytes:
        """Return what one record held; raise as ``Connection.recv`` does."""
        size = _read(self._ssl, _plaintext, _RECORD_BYTES)
        if size <= 0:
            self._tls._raise_ssl_error(self._ssl, size)
        data: bytes = _in_plaintext[:size]
        return data

    def _discard(self, size: int) -> bytes:
        """Read on where nobody wants the bytes any more, to see that the peer is still there.

        :raises BlockingIOError: always, when there was a record, which is dropped.
        """
        self._tls.recv(size)
        raise BlockingIOError

    def _encrypt(self, data: bytes) -> int:
        """Send what the kernel takes; OpenSSL takes one record at a time.

        :raises BlockingIOError: when it takes nothing just now.
        :raises OSError: when the connection is lost.
        """
        sent = 0
        if _DIRECT and type(data) is bytes and len(data) <= _RECORD_BYTES:
            taken: int = _write(self._ssl, data, len(data))
            if taken > 0:
                return taken  # a record goes whole or not at all
            # The same again says why.
        while sent < len(data):
            try:
                sent += self._tls.send(memoryview(data)[sent:])
            except (SSL.WantWriteError, SSL.WantReadError):
                if sent:
                    return sent
                raise BlockingIOError from None
            except SSL.Error as error:
                raise OSError(error_words(error)) from None
        return sent

    # ── closing ─────────────────────────────────────────────────────────────────────

    def _try_close_notify(self) -> bool:
        """Send close_notify; false if the kernel takes nothing just now."""
        try:
            self._tls.shutdown()
        except SSL.WantWriteError:
            return False
        except SSL.Error:
            pass  # the peer is gone, or the handshake was never completed
        return True

    def readConnectionLost(self, reason: Any) -> None:
        """Answer the peer's close alert with ours, after what is still to be sent."""
        if self.disconnecting:
            self.awaits_producer = False
            self.startWriting()
            return
        if IHalfCloseableProtocol.providedBy(self.protocol):
            super().readConnectionLost(reason)
            return
        if self.producer is self:
            # It would wait for itself to read on, which will not happen any more.
            self.unregisterProducer()
        self.awaits_producer = False
        self.loseConnection()

    def _postLoseConnection(self) -> Any:
        producer: Any = self.producer
        gone = producer is None or getattr(producer, "disconnected", False)
        if self.awaits_producer and not gone:
            # unregisterProducer() comes back here; or the peer is gone before that.
            self.set_reader(self._discard)
            self.startReading()
            return None
        if self._try_close_notify():
            return main.CONNECTION_DONE
        self.arm()
        return None

    def _send_close_notify(self) -> None:
        """Send close_notify, now or when the kernel takes it; reading goes on."""
        self._notify_waits = not self._try_close_notify()
        if self._notify_waits:
            self.arm()

    def _closeWriteConnection(self) -> None:
        self._send_close_notify()
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.writeConnectionLost()

    def connectionLost(self, reason: Any) -> None:
        """Twisted's own way, and the end of the deadline."""
        self._forget_deadline()
        super().connectionLost(reason)

    # ── what a protocol may ask ─────────────────────────────────────────────────────

    def getPeerCertificate(self) -> Any:
        """Return the peer's certificate (``OpenSSL.crypto.X509``), or ``None``."""
        return self._tls.get_peer_certificate()

    def getHandle(self) -> Any:
        """Return the ``OpenSSL.SSL.Connection``."""
        return self._tls

    @property
    def negotiatedProtocol(self) -> bytes | None:
        """The protocol that both sides chose by ALPN, or ``None``."""
        return self._tls.get_alpn_proto_negotiated() or None


def handshake_reason(error: SSL.Error, connection: SSL.Connection) -> Reason:
    """Return why a handshake failed, and of a certificate what is wrong with it."""
    words = error_words(error)
    if "certificate verify failed" in words and hasattr(_lib, "SSL_get_verify_result"):
        code = _lib.SSL_get_verify_result(connection._ssl)
        cause = Binding.ffi.string(_lib.X509_verify_cert_error_string(code)).decode()
        words = f"{words}: {cause}"
    return HANDSHAKE_FAILED.because(words)


def stream_reason(error: SSL.Error) -> Reason:
    """Return why a connection ended whose handshake was complete."""
    if not isinstance(error, SSL.SysCallError):
        return TLS_ERROR.because(error_words(error))
    number = error.args[0]
    if number == errno.ETIMEDOUT:
        return USER_TIMEOUT
    return CLOSED_IN_MID_STREAM if number == -1 else LOST


def error_words(error: SSL.Error) -> str:
    """Return OpenSSL's reason, in its own words, without its codes."""
    if isinstance(error, SSL.SysCallError):
        return "closed in mid-stream" if error.args[0] == -1 else "reset by peer"
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return str(reasons[0][-1]) if reasons and reasons[0][-1] else "TLS error"
