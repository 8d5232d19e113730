"""WebSocket's grammar (RFC 6455, 7692): the opening handshake, close codes, a server's frames.

A server's frame carries no mask, so it is the same bytes for every connection: made once, it can
be written to many.  Pure and bounded; this module must not know of connections, nor read frames.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA

WINDOW_BITS = 12
"""What our compressed messages need of the receiver's window, as a power of two."""

MOST_CONTROL_BYTES = 125
"""Bytes that a close, a ping or a pong may carry (RFC 6455, 5.5)."""

_FIN = 0x80
_RSV1 = 0x40
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TAIL = b"\x00\x00\xff\xff"


class CloseCode(IntEnum):
    """The codes of RFC 6455, 7.4.1, and of IANA's registry."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS = 1005
    ABNORMAL = 1006
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_HANDSHAKE = 1015


_NEVER_SENT = {CloseCode.NO_STATUS, CloseCode.ABNORMAL, CloseCode.TLS_HANDSHAKE}
_KNOWN = frozenset(CloseCode) - _NEVER_SENT


def may_be_sent(code: int) -> bool:
    """Whether *code* may stand in a close frame (RFC 6455, 7.4)."""
    return code in _KNOWN or 3000 <= code <= 4999


class CloseError(ValueError):
    """A close frame that breaks the protocol; *code* is what to answer."""

    def __init__(self, code: CloseCode, text: str) -> None:
        super().__init__(text)
        self.code = code


def parse_close(payload: bytes) -> tuple[int, str]:
    """Return the code and the reason that a close frame carries; 1005 where it has none.

    :raises CloseError: when it carries what it must not.
    """
    if not payload:
        return CloseCode.NO_STATUS, ""
    if len(payload) == 1:
        raise CloseError(CloseCode.PROTOCOL_ERROR, "a close frame with half a code")
    code = int.from_bytes(payload[:2], "big")
    if not may_be_sent(code):
        raise CloseError(CloseCode.PROTOCOL_ERROR, f"a close frame with the code {code}")
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError:
        raise CloseError(CloseCode.INVALID_DATA, "a close reason that is not UTF-8") from None


# ── a server's frames ───────────────────────────────────────────────────────────────────


def encode_text(data: bytes) -> bytes:
    """Return the frame of a whole text message; *data* is UTF-8."""
    return encode_frame(TEXT, data)


def encode_binary(data: bytes) -> bytes:
    """Return the frame of a whole binary message."""
    return encode_frame(BINARY, data)


def encode_frame(opcode: int, data: bytes, first: int = _FIN) -> bytes:
    """Return one frame without a mask, as servers send them; *first* has the leading bits."""
    size = len(data)
    if size < 126:
        return bytes((first | opcode, size)) + data
    if size < 1 << 16:
        return struct.pack("!BBH", first | opcode, 126, size) + data
    return struct.pack("!BBQ", first | opcode, 127, size) + data


def deflate_frame(data: bytes, opcode: int = TEXT, window_bits: int = WINDOW_BITS) -> bytes:
    """Return the frame of a whole message, compressed by itself (RFC 7692, 7.2.1).

    It suits every connection that agreed on compression here: nothing of it refers to what was
    sent before.
    """
    compressor = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -window_bits, 5)
    body = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return encode_frame(opcode, body.removesuffix(_TAIL), _FIN | _RSV1)


def encode_close(code: int = CloseCode.NO_STATUS, reason: str = "") -> bytes:
    """Return a close frame; without a code for 1005.  A reason that is too long is cut.

    :raises ValueError: for a code that must not be sent.
    """
    if code == CloseCode.NO_STATUS:
        return encode_frame(CLOSE, b"")
    if not may_be_sent(code):
        raise ValueError(f"{code} is no code that may be sent in a close frame")
    words = reason.encode("utf-8", "replace")[: MOST_CONTROL_BYTES - 2]
    words = words.decode("utf-8", "ignore").encode()  # no character is cut in half
    return encode_frame(CLOSE, code.to_bytes(2, "big") + words)


# ── the opening handshake ───────────────────────────────────────────────────────────────


class HandshakeError(ValueError):
    """A request that opens no WebSocket; its text says why, in one line.

    :ivar status: the HTTP status of the answer.
    :ivar headers: what else the answer has to say.
    """

    def __init__(
        self, text: str, status: int = 400, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(text)
        self.status, self.headers = status, tuple(headers)


@dataclass(frozen=True)
class Extension:
    """One extension as it was offered: its name, and its parameters in order."""

    name: str
    parameters: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True)
class Offer:
    """What a client's opening handshake asks for, in the client's order."""

    key: bytes
    subprotocols: tuple[str, ...] = ()
    extensions: tuple[Extension, ...] = field(default=())


def accept_value(key: bytes) -> str:
    """Return what ``Sec-WebSocket-Accept`` says to a key (RFC 6455, 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode()


def parse_opening(method: bytes, version: bytes, headers: Iterable[tuple[bytes, bytes]]) -> Offer:
    """Return what the client offers.

    :param method: of the request, *version* like ``HTTP/1.1``.
    :param headers: every line's name and value, in order.
    :raises HandshakeError: when it is no opening handshake, or a wrong one (RFC 6455, 4.2.1).
    """
    said: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        said.setdefault(name.lower(), []).append(value)
    if b"websocket" not in _tokens(said.get(b"upgrade")):
        upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
        raise HandshakeError("this is a WebSocket", 426, upgrade)
    if method != b"GET":
        raise HandshakeError("a WebSocket is opened by GET", 405, [("Allow", "GET")])
    if version != b"HTTP/1.1":
        raise HandshakeError("a WebSocket is opened by HTTP/1.1")
    if b"upgrade" not in _tokens(said.get(b"connection")):
        raise HandshakeError("the Connection header does not say Upgrade")
    if said.get(b"sec-websocket-version") != [b"13"]:
        known = [("Sec-WebSocket-Version", "13")]
        raise HandshakeError("the version of WebSocket is not 13", 426, known)
    if said.get(b"transfer-encoding") or said.get(b"content-length", [b"0"]) != [b"0"]:
        raise HandshakeError("the request that opens a WebSocket has no body")
    return Offer(
        _key(said.get(b"sec-websocket-key", [])),
        tuple(_subprotocols(said.get(b"sec-websocket-protocol", []))),
        tuple(_extensions(said.get(b"sec-websocket-extensions", []))),
    )


def _tokens(values: list[bytes] | None) -> set[bytes]:
    return {token.strip().lower() for value in values or () for token in value.split(b",")}


def _key(values: list[bytes]) -> bytes:
    if len(values) == 1 and len(values[0]) == 24:
        try:
            if len(base64.b64decode(values[0], validate=True)) == 16:
                return values[0]
        except binascii.Error:
            pass
    raise HandshakeError("Sec-WebSocket-Key is not 16 bytes in base64")


def _subprotocols(values: list[bytes]) -> Iterable[str]:
    seen = set()
    for value in values:
        for name in value.decode("latin-1").split(","):
            name = name.strip(" \t")
            if not _TOKEN.fullmatch(name) or name in seen:
                raise HandshakeError("Sec-WebSocket-Protocol is no list of different names")
            seen.add(name)
            yield name


def _extensions(values: list[bytes]) -> Iterable[Extension]:
    for value in values:
        for offered in value.decode("latin-1").split(","):
            name, *rest = (part.strip(" \t") for part in offered.split(";"))
            parameters = tuple(_parameter(part) for part in rest)
            if not _TOKEN.fullmatch(name):
                raise HandshakeError("Sec-WebSocket-Extensions is no list of extensions")
            yield Extension(name, parameters)


def _parameter(text: str) -> tuple[str, str | None]:
    name, equals, value = (part.strip(" \t") for part in text.partition("="))
    if value.startswith('"') and value.endswith('"') and len(value) > 1:
        value = value[1:-1]
    if not _TOKEN.fullmatch(name) or (equals and not _TOKEN.fullmatch(value)):
        raise HandshakeError("Sec-WebSocket-Extensions is no list of extensions")
    return name, value if equals else None


def accept_deflate(extensions: Iterable[Extension]) -> str | None:
    """Return the answer to the first offer of compression that suits us, or ``None``.

    Each message is compressed by itself, in both directions, whatever was offered (RFC 7692,
    7.1.1 lets a server say so): that is what lets one frame go to many, and what keeps an idle
    connection from holding a window.
    """
    for offered in extensions:
        if offered.name == "permessage-deflate":
            answer = _deflate_answer(offered.parameters)
            if answer is not None:
                return answer
    return None


def _deflate_answer(parameters: Sequence[tuple[str, str | None]]) -> str | None:
    answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    if len({name for name, _ in parameters}) != len(parameters):
        return None
    for name, value in parameters:
        if name in ("server_no_context_takeover", "client_no_context_takeover"):
            if value is not None:
                return None
        elif name == "server_max_window_bits":
            if not _window(value) or int(value or 0) < WINDOW_BITS:
                return None
            answer += f"; server_max_window_bits={WINDOW_BITS}"
        elif name != "client_max_window_bits" or not (value is None or _window(value)):
            return None
    return answer


def _window(value: str | None) -> bool:
    return value in {"8", "9", "10", "11", "12", "13", "14", "15"}
