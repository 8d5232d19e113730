"""Compressed messages (RFC 7692): what is agreed on, what is understood, and what it may cost."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pytest

from socketsuite.web.websocket import WebSocketOptions
from socketsuite.wire.websocket import deflate_frame, encode_text
from tests.support.web_port import WebPort
from tests.support.websocket_frames import BINARY, PING, TEXT, frame, opening


@pytest.fixture(scope="module", params=["burst", "stock"])
def port(request: pytest.FixtureRequest) -> Iterator[WebPort]:
    made = WebPort(request.param, options=WebSocketOptions(max_message=100_000, ping_interval=0))
    yield made
    made.close()


DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"


def deflated(data: bytes, bits: int = 15, flush: int = zlib.Z_SYNC_FLUSH) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -bits)
    return (compressor.compress(data) + compressor.flush(flush)).removesuffix(b"\0\0\xff\xff")


def inflated(data: bytes) -> bytes:
    return zlib.decompressobj(-12).decompress(data + b"\0\0\xff\xff")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 100_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_compressed_messages_go_both_ways(port: WebPort, opcode: int, size: int) -> None:
    caller = port.websocket(DEFLATE)
    data = (b"abcdefg" * (size // 7 + 1))[:size]
    body = deflated(data)
    half = len(body) // 2
    caller.send(frame(opcode, body, rsv=4))
    caller.send(frame(opcode, body[:half], rsv=4, fin=False) + frame(0, body[half:]))
    caller.send(frame(opcode, data))  # one may be sent as it is
    for _ in range(3):
        got = caller.frame()
        assert got.compressed is (size >= 512)
        assert (inflated(got.payload) if got.compressed else got.payload) == data
        assert size < 1000 or len(got.payload) < size // 10


def test_a_shared_frame_is_compressed_once(port: WebPort) -> None:
    callers = [port.websocket(DEFLATE) for _ in range(3)]
    plain = port.websocket()
    data = b'{"text":"hello"}' * 100
    frames = {True: deflate_frame(data), False: encode_text(data)}
    for handler in port.handlers[-4:]:
        handler.connection.send_frame(frames[handler.connection.deflates])
    for caller in callers:
        assert inflated(caller.frame().payload) == data
    assert plain.frame().payload == data


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(TEXT, deflated(b"x" * 100_001), rsv=4), 1009),
        (frame(BINARY, deflated(b"\0" * 50_000_000), rsv=4), 1009),
        (frame(BINARY, deflated(b"\0" * 50_000_000)[:2000], rsv=4, fin=False), 1009),
        (frame(TEXT, deflated(b"\xff" * 1000), rsv=4), 1007),
        (frame(TEXT, b"\xff\xff\xff\xff", rsv=4), 1007),
        (frame(TEXT, deflated(b"x"), rsv=4, fin=False) + frame(0, b"", rsv=4), 1002),
        (frame(TEXT, deflated(b"x"), rsv=6), 1002),
        (frame(PING, deflated(b"x"), rsv=4), 1002),
        (frame(BINARY, b"\0" * 200_000, rsv=4)[:20], 1009),
        (frame(BINARY, b"\x00\x00\x00\xff\xff" * 20_400, rsv=4)[:20], 1009),
    ],
)
def test_a_compressed_message_costs_no_more_than_its_limit(
    port: WebPort, sent: bytes, code: int
) -> None:
    caller = port.websocket(DEFLATE)
    caller.send(sent)
    assert caller.frame().code == code
    assert caller.rest() == b""


def test_a_message_whose_last_block_says_so_is_whole(port: WebPort) -> None:
    caller = port.websocket(DEFLATE)
    for behind in (b"\0", b"\0garbage"):
        caller.send(frame(TEXT, deflated(b"finished", flush=zlib.Z_FINISH) + behind, rsv=4))
        assert caller.frame().payload == b"finished"


@pytest.mark.parametrize(
    ("offer", "agreed"),
    [
        ("permessage-deflate", ""),
        ("permessage-deflate; client_max_window_bits=10", ""),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", ""),
        ("permessage-deflate; server_max_window_bits=15", "; server_max_window_bits=12"),
        ('permessage-deflate; server_max_window_bits="12"', "; server_max_window_bits=12"),
        ("permessage-deflate; server_max_window_bits=9", None),
        ("permessage-deflate; server_max_window_bits=9, permessage-deflate", ""),
        ("permessage-deflate; server_max_window_bits", None),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("permessage-deflate; client_max_window_bits=08", None),
        ("permessage-deflate; client_no_context_takeover=1", None),
        ("permessage-deflate; client_max_window_bits; client_max_window_bits", None),
        ("permessage-deflate; unknown", None),
        ("x-webkit-deflate-frame, unknown; a=b", None),
    ],
)
def test_the_offers_of_compression(port: WebPort, offer: str, agreed: str | None) -> None:
    caller = port.caller()
    caller.send(opening("/ws", f"Sec-WebSocket-Extensions: {offer}"))
    head = caller.until(b"\r\n\r\n").decode()
    always = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    said = [line for line in head.split("\r\n") if line.startswith("Sec-WebSocket-Extensions")]
    expected = [] if agreed is None else [f"Sec-WebSocket-Extensions: {always}{agreed}"]
    assert said == expected
    assert port.handlers[-1].connection.deflates is (agreed is not None)
