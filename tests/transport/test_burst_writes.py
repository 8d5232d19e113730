"""Whatever is written, however and whenever, comes out once and in order, and then the end.

Against a kernel that takes what it likes: all, a part, or nothing for now.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any

import trustme
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.internet.protocol import Factory, Protocol

from socketsuite.transport.burst import accelerate, burst_of
from socketsuite.transport.options import PortOptions, TLSOptions
from socketsuite.transport.tls import BurstTLSServer
from tests.support.hand_turned import HandTurned

# Around the small read, the buffer of a transport and what one send takes.
SIZES = st.sampled_from([0, 1, 2, 479, 480, 5000, 1 << 16, (1 << 16) + 1, 200_000])
PIECES = st.one_of(
    st.tuples(st.just("write"), SIZES),
    st.tuples(st.just("write subclass"), SIZES),
    st.tuples(st.just("write sequence"), SIZES),
    st.tuples(st.just("push producer"), st.booleans()),
    st.tuples(st.just("pull producer"), SIZES),
)
# Each inner list is done in one go: within a burst, outside of one, or outside but corked.
IN, OUTSIDE, CORKED = "in a burst", "outside", "corked"
MOMENTS = st.lists(
    st.tuples(st.sampled_from([IN, OUTSIDE, CORKED]), st.lists(PIECES, min_size=1, max_size=4)),
    min_size=1,
    max_size=5,
)
ENDS = st.sampled_from(["lose", "half-close", "stay"])
TAKES = st.lists(st.sampled_from([0, 700, 70_000, 1 << 30]), min_size=1, max_size=8)


class Text(bytes):
    """Not quite ``bytes``, and allowed."""


class Pull:
    """A pull producer with so many bytes to give, in a few pieces."""

    def __init__(self, writer: Writer, size: int) -> None:
        self.writer = writer
        self.left = size

    def resumeProducing(self) -> None:
        piece = min(self.left, 30_000)
        self.left -= piece
        self.writer.say(piece)
        if not self.left:
            self.writer.transport.unregisterProducer()

    def stopProducing(self) -> None:
        self.left = 0


class Writer(Protocol):
    """Does what it is told, and keeps what it should have said."""

    transport: Any
    producing: Any = None

    def __init__(self) -> None:
        self.said = b""
        self.work: list[Callable[[], None]] = []
        self.lost = False
        self.paused = False

    def dataReceived(self, data: bytes) -> None:
        self.work.pop(0)()

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True

    def text(self, size: int) -> bytes:
        start = len(self.said)
        made = bytes((start + number) % 251 for number in range(size % 1000)) * (size // 1000 + 1)
        made = made[:size].ljust(size, b"x")
        self.said += made
        return made

    def say(self, size: int) -> None:
        self.transport.write(self.text(size))

    def do(self, kind: str, value: Any) -> None:
        if kind == "write":
            self.say(value)
        elif kind == "write subclass":
            self.transport.write(Text(self.text(value)))
        elif kind == "write sequence":
            self.transport.writeSequence([self.text(value), b"", self.text(value // 2)])
        elif kind == "push producer":
            if value and self.transport.producer is None:
                self.paused = False  # whatever it was told when it was here before
                self.transport.registerProducer(self, True)
            elif self.transport.producer is self:
                self.transport.unregisterProducer()
        elif self.transport.producer is None:
            self.transport.registerProducer(Pull(self, value), False)

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        if self.paused:
            self.paused = False
            self.say(7)  # from within the flush that made room

    def stopProducing(self) -> None:
        pass


AUTHORITY = trustme.CA(key_type=trustme.KeyType.ECDSA)
ISSUED = AUTHORITY.issue_cert("localhost", key_type=trustme.KeyType.ECDSA)


def server_context() -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    ISSUED.configure_cert(context)
    return context


class WritersPort(HandTurned):
    """A port, in the clear or not."""

    def __init__(self, *, secure: bool, pure: bool = False) -> None:
        super().__init__()
        self.secure = secure
        self.made: list[Writer] = []
        served = self

        class Made(Factory):
            noisy = False

            def buildProtocol(self, addr: Any) -> Any:
                served.made.append(Writer())
                return served.made[-1]

        listening = self.reactor.listenTCP(0, Made(), 50, "127.0.0.1")
        if secure:
            options = PortOptions(tls=TLSOptions(server_context), pure=pure)
            self.port = accelerate(listening, options, BurstTLSServer)
        else:
            self.port = accelerate(listening, PortOptions(pure=pure))

    def enter(self) -> socket.socket:
        """Return a caller whose protocol is connected."""
        caller = self.call()
        if self.secure:
            context = ssl.create_default_context()
            AUTHORITY.configure_trust(context)
            made = context.wrap_socket(
                caller, server_hostname="localhost", do_handshake_on_connect=False
            )
            self.callers.append(made)
            self.until(lambda: _is_done(made.do_handshake))
            caller = made
        self.until(lambda: self.made and self.made[0].transport is not None)
        return caller


def _is_done(step: Callable[[], Any]) -> bool:
    try:
        step()
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return False
    return True


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@example(
    [(IN, [("write", 0), ("write", 0)]), (IN, [("write", 1)])], "stay", [1 << 30], False, False
)
@example(
    [
        (IN, [("push producer", True), ("write", 70_000), ("write", 70_000)]),
        (OUTSIDE, [("write", 5000)]),
        (OUTSIDE, [("write", 5000)]),
    ],
    "stay",
    [70_000, 1 << 30],
    False,
    False,
)
@given(moments=MOMENTS, end=ENDS, takes=TAKES, secure=st.booleans(), pure=st.booleans())
def test_all_that_is_written_comes_out_once_and_in_order(
    moments: list[tuple[str, list[tuple[str, Any]]]],
    end: str,
    takes: list[int],
    secure: bool,
    pure: bool,
) -> None:
    served = WritersPort(secure=secure, pure=pure)
    try:
        caller = served.enter()
        (writer,) = served.made
        heard = bytearray()
        ended = False

        own_send, calls = writer.transport.send, 0

        def send(data: bytes) -> int:
            nonlocal calls
            most = takes[calls % len(takes)]
            calls += 1
            if not most:
                raise BlockingIOError
            return int(own_send(bytes(data)[:most]))

        writer.transport.send = send

        def listen() -> None:
            nonlocal ended
            with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
                while not ended:
                    piece = caller.recv(1 << 20)
                    heard.extend(piece)
                    ended = not piece

        for where, pieces in moments:

            def work(pieces: list[tuple[str, Any]] = pieces) -> None:
                for kind, value in pieces:
                    writer.do(kind, value)

            if where == IN:
                writer.work.append(work)
                caller.send(b"!")
                served.until(lambda: not writer.work)
            elif where == CORKED:
                writer.transport.corked(work)
            else:
                work()
            served.turn()
            listen()

        def is_quiet() -> bool:
            listen()
            return len(heard) == len(writer.said) and writer.transport.producer in (None, writer)

        if set(takes) == {0}:
            # Nothing is ever taken: nothing is lost either, and nobody spins.
            assert not heard
            return
        served.until(is_quiet)
        if writer.transport.producer is writer:
            served.until(lambda: not writer.paused)
            writer.transport.unregisterProducer()
        if end != "stay":
            leave = writer.transport.loseConnection
            (leave if end == "lose" else writer.transport.loseWriteConnection)()

            def is_over() -> bool:
                listen()
                return ended

            served.until(is_over)
        assert bytes(heard) == writer.said
        assert writer.transport.bytes_out == len(writer.said)
        assert writer.transport.queued == 0
        assert writer.lost is (end == "lose")
        caller.shutdown(socket.SHUT_RDWR)
        served.until(lambda: writer.lost)
        assert burst_of(served.reactor).members == {}
    finally:
        served.port.stopListening()
        served.turn()
        served.close()
