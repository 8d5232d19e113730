"""Random frames in random pieces: what is understood is what wsproto's own connection does."""

from __future__ import annotations

import itertools
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto import ConnectionType
from wsproto.connection import Connection, ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason, RsvBits

from socketsuite.web.incoming import BadFrameError, Incoming
from socketsuite.wire.websocket import CLOSE, PING, TEXT, CloseError, parse_close
from tests.support.websocket_frames import frame

Heard = list[tuple[str, Any]]


def compressed(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    made = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return made.removesuffix(b"\0\0\xff\xff")


texts = st.text(max_size=20).map(str.encode)
closes = st.builds(
    lambda code, reason: code.to_bytes(2, "big") + reason,
    st.sampled_from([999, 1000, 1001, 1005, 1007, 1016, 2999, 3000, 4999, 5000]),
    texts | st.just(b"\xff"),
)
payloads = st.one_of(
    texts,
    texts.map(compressed),
    st.binary(max_size=8),
    st.sampled_from([b"\xc3", b"\xa9", b"x" * 125, b"y" * 126, b"z" * 300]),
    closes,
)


def usually(value: Any, others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 5).flatmap(lambda n: st.just(value) if n else others)


frames = st.builds(
    lambda opcode, payload, fin, rsv, mask: frame(opcode, payload, fin=fin, rsv=rsv, mask=mask),
    st.sampled_from([0, 0, 0, 1, 1, 1, 2, 2, 8, 9, 10, 3, 11]),
    payloads,
    usually(True, st.booleans()),
    usually(0, st.integers(0, 7) | st.just(4)),
    usually(b"\x12\x34\x56\x78", st.none() | st.binary(min_size=4, max_size=4)),
)
messages = st.builds(
    lambda opcode, pieces, between: b"".join(
        frame(opcode if n == 0 else 0, piece, fin=n == len(pieces) - 1) + between
        for n, piece in enumerate(pieces)
    ),
    st.sampled_from([1, 2]),
    st.lists(payloads, min_size=1, max_size=4),
    st.sampled_from([b"", frame(PING, b"p")]),
)


def in_frames(opcode: int, body: bytes, at: list[int], between: bytes) -> bytes:
    """Return a compressed message in fragments that end at *at*, with *between* in between."""
    cuts = [0, *sorted(min(n, len(body)) for n in at), len(body)]
    return b"".join(
        frame(opcode if n == 0 else 0, body[start:end], fin=n == len(at), rsv=4 if n == 0 else 0)
        + between
        for n, (start, end) in enumerate(itertools.pairwise(cuts))
    )


inflated = st.builds(
    in_frames,
    st.sampled_from([1, 2]),
    (texts | st.binary(max_size=8) | st.just(b"abcd" * 1000)).map(compressed),
    st.lists(st.integers(0, 30), max_size=3),
    st.sampled_from([b"", frame(PING, b"p")]),
)


def pieces_of(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces: list[bytes] = []
    while data:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def ours(pieces: list[bytes], inflates: bool) -> tuple[Heard, int | None]:
    """Return what is heard, and the code that it ends with."""
    heard: Heard = []
    incoming = Incoming(1 << 20, 1000, inflates)
    for piece in pieces:
        if incoming.idle:  # as a connection does it
            incoming = Incoming(1 << 20, 1000, inflates)
        incoming.feed(piece)
        try:
            while (event := incoming.next()) is not None:
                if event.opcode == CLOSE:
                    heard.append(("close", parse_close(event.payload)))
                    return heard, None
                kind = {PING: "ping", TEXT: "text", 2: "binary"}.get(event.opcode, "pong")
                heard.append((kind, event.payload))
        except (BadFrameError, CloseError) as bad:
            return heard, bad.code
    return heard, None


class Deflate(PerMessageDeflate):
    """wsproto's own forgets that a message is compressed when a ping comes within it."""

    _control = False

    def frame_inbound_header(
        self, proto: Any, opcode: Any, rsv: Any, payload_length: int
    ) -> CloseReason | RsvBits:
        self._control = opcode.iscontrol()
        if self._control:
            return RsvBits(False, False, False)
        return super().frame_inbound_header(proto, opcode, rsv, payload_length)

    def frame_inbound_payload_data(self, proto: Any, data: bytes) -> bytes | CloseReason:
        return data if self._control else super().frame_inbound_payload_data(proto, data)

    def frame_inbound_complete(self, proto: Any, fin: bool) -> bytes | CloseReason | None:
        return None if self._control else super().frame_inbound_complete(proto, fin)


def wsprotos(pieces: list[bytes], inflates: bool) -> tuple[Heard, int | None]:
    heard: Heard = []
    extension = Deflate(client_no_context_takeover=True)
    extension._enabled = True
    connection = Connection(ConnectionType.SERVER, [extension] if inflates else [])
    text: list[str] = []
    data: list[bytes] = []
    for piece in pieces:
        connection.receive_data(piece)
        for event in connection.events():
            if isinstance(event, CloseConnection):
                if connection.state is ConnectionState.OPEN:  # it is wsproto that ends it
                    return heard, event.code
                heard.append(("close", (event.code, event.reason or "")))
                return heard, None
            if isinstance(event, Ping | Pong):
                heard.append((type(event).__name__.lower(), bytes(event.payload)))
            elif isinstance(event, TextMessage):
                text.append(event.data)
                if event.message_finished:
                    heard.append(("text", "".join(text)))
                    text.clear()
            elif isinstance(event, BytesMessage):
                data.append(bytes(event.data))
                if event.message_finished:
                    heard.append(("binary", b"".join(data)))
                    data.clear()
    return heard, None


@settings(max_examples=120, deadline=None)
@given(
    st.lists(frames | messages | inflated, max_size=8),
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
    st.booleans(),
)
def test_what_is_understood_is_what_wsproto_understands(
    sent: list[bytes], sizes: list[int], inflates: bool
) -> None:
    pieces = pieces_of(b"".join(sent), sizes)
    heard, code = ours(pieces, inflates)
    theirs, their_code = wsprotos(pieces, inflates)
    if inflates and code == 1002 and their_code == 1007:
        # It inflates a frame before it sees that none of its kind may be there.
        their_code = code
    assert (heard, code) == (theirs, their_code)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200), st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_no_bytes_whatever_are_more_than_a_code(data: bytes, sizes: list[int]) -> None:
    for inflates in (False, True):
        _, code = ours(pieces_of(data, sizes), inflates)
        assert code in (None, 1002, 1007, 1009)


def test_a_compression_bomb_costs_no_more_than_its_limit() -> None:
    bomb = frame(TEXT, compressed(bytes(30_000_000)), rsv=4)
    assert len(bomb) < 65536
    incoming = Incoming(65536, 10, True)
    tracemalloc.start()
    try:
        incoming.feed(bomb)
        with pytest.raises(BadFrameError, match="too big"):
            incoming.next()
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_an_unfinished_message_holds_its_bytes_and_little_else() -> None:
    incoming = Incoming(65536, 100_000, True)
    tracemalloc.start()
    try:
        for n in range(10_000):
            incoming.feed(frame(TEXT if n == 0 else 0, "€".encode(), fin=False))
            assert incoming.next() is None
        assert tracemalloc.get_traced_memory()[0] < 150_000
    finally:
        tracemalloc.stop()
    incoming.feed(frame(0))
    event = incoming.next()
    assert event is not None
    assert event.payload == "€" * 10_000
    assert incoming.idle
