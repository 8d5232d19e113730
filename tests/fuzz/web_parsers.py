"""Targets that are pure, of what comes by HTTP: handshakes, JSON, what proxies tell."""

from __future__ import annotations

import contextlib
import json

from socketsuite.socketio.bounded_json import deeper_than, dumps, loads
from socketsuite.wire.forwarded import ForwardedError, believed_host
from socketsuite.wire.websocket import (
    CloseError,
    HandshakeError,
    accept_deflate,
    encode_close,
    may_be_sent,
    parse_close,
    parse_opening,
)

_DEPTH = 8


def websocket_grammar(data: bytes) -> None:
    """A close frame's code may be sent back; a handshake is one, or refused in one line."""
    with contextlib.suppress(CloseError):
        code, reason = parse_close(data[:125])
        assert code == 1005 or may_be_sent(code)
        assert len(encode_close(code, reason)) <= 127
    first, *lines = data.split(b"\n")
    method, _, version = first.partition(b" ")
    headers = [
        (name.strip(), value.strip()) for name, _, value in (n.partition(b":") for n in lines)
    ]
    try:
        offer = parse_opening(method, version, headers)
    except HandshakeError as error:
        told = str(error)
        if not 400 <= error.status < 500 or "\n" in told:
            raise AssertionError(told) from None
        return
    assert len(offer.key) == 24
    answer = accept_deflate(offer.extensions)
    assert answer is None or answer.startswith("permessage-deflate; ")


def forwarded(data: bytes) -> None:
    """What a proxy tells of its caller is a host, or is not believed."""
    first, _, second = data.partition(b"\n")
    for one, other in ((first, second), (first, b""), (b"", second)):
        with contextlib.suppress(ForwardedError):
            host = believed_host(
                "10.0.0.1", [one] * bool(one), [other] * bool(other), lambda h: h == "10.0.0.1"
            )
            assert host is None or (host.isascii() and not set(host) & set(" \r\n,;"))


def bounded_json(data: bytes) -> None:
    """What is JSON here is JSON elsewhere, and as deep as it is said to be."""
    text = data.decode("utf-8", "replace")
    deep = deeper_than(text, _DEPTH)
    if deep:
        return
    with contextlib.suppress(ValueError):
        value = loads(text)
        told = dumps(value)
        told.encode()
        assert json.loads(told) == loads(told)
        assert _depth(value) <= _DEPTH


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
