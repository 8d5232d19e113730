"""A server of the acknowledgement protocol in memory, which can be told to misbehave.

Plain sockets, a thread for each connection; durable is what it has.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from socketsuite.wire.acks import (
    Ack,
    Data,
    Done,
    End,
    Error,
    Held,
    Payload,
    Ping,
    Pong,
    ProtocolError,
    Ready,
    RequestParser,
    Stream,
    signed_text,
)
from socketsuite.wire.merkle import LEAF, TreeHash

_DEADLINE = 20.0


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


@dataclass
class Behaviour:
    """What a sink does otherwise than it should.

    :ivar break_after: bytes of DATA after which connections are reset, the first ones first.
    :ivar errors: what is answered to STREAM, one after the other.
    :ivar announced: the key that is announced, if it is not the one that signs.
    :ivar before_done: called with the connection before DONE is sent.
    """

    break_after: list[int] = field(default_factory=list)
    errors: list[Error] = field(default_factory=list)
    key: Ed25519PrivateKey | None = None
    announced: Ed25519PrivateKey | None = None
    before_done: Callable[[socket.socket], None] | None = None
    wrong_hash: bool = False


class AckSink:
    """Serves on a free port of 127.0.0.1, or on a Unix socket, until it is closed.

    :ivar streams: what it holds.
    :ivar most_at_once: how many connections there were at one time.
    """

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        unix: Path | None = None,
    ):
        self.behaviour = behaviour or Behaviour()
        self.streams: dict[str, bytearray] = {}
        self._trees: dict[str, TreeHash] = {}
        self.most_at_once = 0
        self.connections = 0
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        if unix is not None:
            self._listener = socket.create_server(str(unix), family=socket.AF_UNIX)
        else:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.port: int = self._listener.getsockname()[1]
        self._listener.settimeout(_DEADLINE)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def hash_of(self, stream: str) -> bytes:
        """Return the tree hash of what a stream has."""
        tree = self._trees.setdefault(stream, TreeHash())
        tree.feed(bytes(self.streams[stream][tree.size :]))
        return tree.root()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(_DEADLINE)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with self._lock:
                self.connections += 1
                self._open.add(connection)
                self.most_at_once = max(self.most_at_once, len(self._open))
            _Served(self, connection).serve()
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def stop_listening(self) -> None:
        """Refuse who comes from now on."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def close(self) -> None:
        """End; what is connected is cut off."""
        self.stop_listening()
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_DEADLINE)


class _Served:
    """One connection."""

    def __init__(self, sink: AckSink, connection: socket.socket) -> None:
        self._sink = sink
        self._behaviour = sink.behaviour
        self._connection = connection
        self._stream = ""
        self._bytes = bytearray()
        self._skip = 0
        self._taken = 0
        self._break_at = sink.behaviour.break_after.pop(0) if sink.behaviour.break_after else None

    def _send(self, message: Any) -> None:
        self._connection.sendall(message.encode())

    def serve(self) -> None:
        key = self._behaviour.announced or self._behaviour.key
        ready = Ready("always", "raw", 1 << 20, LEAF, None if key is None else _public(key))
        self._send(ready)
        parser = RequestParser(1 << 20)
        while data := self._connection.recv(1 << 16):
            parser.feed(data)
            try:
                while (event := parser.next_event()) is not None:
                    if not self._obey(event):
                        return
            except ProtocolError as error:
                self._send(Error(error.code, error.text))
                return
            if self._bytes and parser.torn:
                self._receipt(Ack)

    def _obey(self, event: Any) -> bool:
        match event:
            case Stream(stream):
                if self._behaviour.errors:
                    self._send(self._behaviour.errors.pop(0))
                    return False
                self._stream = stream
                self._bytes = self._sink.streams.setdefault(stream, bytearray())
                self._send(Held(stream, len(self._bytes), self._sink.hash_of(stream)))
            case Data(offset):
                self._skip = len(self._bytes) - offset
            case Payload(data):
                return self._take(data)
            case End(offset):
                if self._behaviour.before_done is not None:
                    self._behaviour.before_done(self._connection)
                if offset != len(self._bytes):
                    self._send(Error("mismatch", "another end"))
                    return False
                self._receipt(Done)
            case Ping():
                self._send(Pong())
        return True

    def _take(self, data: memoryview) -> bool:
        fresh = data[min(self._skip, len(data)) :]
        self._skip -= len(data) - len(fresh)
        self._bytes += fresh
        self._taken += len(data)
        if self._break_at is not None and self._taken >= self._break_at:
            reset = b"\1\0\0\0\0\0\0\0"
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            return False
        return True

    def _receipt(self, kind: type[Ack]) -> None:
        digest = self._sink.hash_of(self._stream)
        if self._behaviour.wrong_hash:
            digest = bytes(32)
        receipt = kind(len(self._bytes), digest, 1_790_000_000_000)
        if self._behaviour.key is not None:
            text = signed_text(self._stream, receipt.offset, digest, receipt.time)
            receipt.signature = self._behaviour.key.sign(text)
        self._send(receipt)
