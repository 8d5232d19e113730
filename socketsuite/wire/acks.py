"""Both sides' parsers of the acknowledgement protocol: bytes in, messages out.

docs/protocol-ack.md has the protocol.  Either parser is fed what came, and asked for one message
after the other, so that whoever asks may stop in the middle.  This module must not know of
connections, files or clocks.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import deque

from socketsuite.wire.ack_messages import (
    LARGEST,
    LONGEST_LINE,
    VERSION,
    Ack,
    Data,
    Done,
    End,
    Error,
    Go,
    Held,
    Payload,
    Ping,
    Pong,
    ProtocolError,
    Ready,
    Reply,
    Request,
    Stream,
    Wait,
    encode_base64,
    signed_text,
)
from socketsuite.wire.stream_ids import BadIdError, check_id, decode_id, encode_id

__all__ = [
    "LARGEST", "LONGEST_LINE", "VERSION", "Ack", "BadIdError", "Data", "Done", "End", "Error",
    "Go", "Held", "Payload", "Ping", "Pong", "ProtocolError", "Ready", "Reply", "ReplyParser",
    "Request", "RequestParser", "Stream", "Wait", "check_id", "decode_base64", "decode_id",
    "encode_base64", "encode_id", "parse_hash", "parse_number", "signed_text",
]  # fmt: skip

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_HASH = re.compile(r"[0-9a-f]{64}")
_CODE = re.compile(r"[a-z][a-z0-9-]{0,31}")
_UNPRINTABLE = re.compile(rb"[^ -~]")
_NOTHING = memoryview(b"")


def _syntax(text: str) -> ProtocolError:
    return ProtocolError("syntax", text)


def parse_number(word: str) -> int:
    """Return the number that *word* is.

    :raises ProtocolError: when it is none.
    """
    if _NUMBER.fullmatch(word) is None or (number := int(word)) > LARGEST:
        raise _syntax(f"a number is decimal, 0 to {LARGEST}, without leading zeros")
    return number


def parse_hash(word: str) -> bytes:
    """Return the 32 bytes of a hash.

    :raises ProtocolError: when *word* is none.
    """
    if _HASH.fullmatch(word) is None:
        raise _syntax("a hash is 64 lower-case hex digits")
    return bytes.fromhex(word)


def decode_base64(word: str, size: int) -> bytes:
    """Return the *size* bytes that *word* is the base64 of.

    :raises ProtocolError: when it is not.
    """
    try:
        found = base64.b64decode(word, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != size or encode_base64(found) != word:
        raise _syntax(f"not the base64 of {size} bytes")
    return found


class _Input:
    """What came and was not read yet, and the lines in it."""

    def __init__(self) -> None:
        self._chunks: deque[memoryview] = deque()
        self._at = 0
        self._line = bytearray()

    @property
    def pending(self) -> int:
        """How many bytes came that are in no message yet."""
        return len(self._line) + sum(map(len, self._chunks)) - self._at

    @property
    def torn(self) -> bool:
        """Whether a line has begun and not ended."""
        return bool(self._line)

    def feed(self, data: bytes | memoryview) -> None:
        """Take what came; *data* must not change until it was read."""
        if data:
            self._chunks.append(memoryview(data))

    def _take(self, most: int) -> memoryview:
        """Return up to *most* of the bytes that are next, none of them copied."""
        if not self._chunks:
            return _NOTHING
        chunk, start = self._chunks[0], self._at
        end = min(len(chunk), start + most)
        if end == len(chunk):
            self._chunks.popleft()
            self._at = 0
        else:
            self._at = end
        return chunk[start:end]

    def _next_line(self) -> str | None:
        """Return the next line without its end, if it is there."""
        line = self._line
        while self._chunks:
            room = LONGEST_LINE - len(line)
            window = bytes(self._chunks[0][self._at : self._at + room])
            end = window.find(b"\n")
            self._take(len(window) if end < 0 else end + 1)
            if end >= 0:
                whole = (bytes(line) + window[:end]).removesuffix(b"\r")
                line.clear()
                if _UNPRINTABLE.search(whole):
                    raise _syntax("a line is printable ASCII")
                return whole.decode("ascii")
            line += window
            if len(line) >= LONGEST_LINE:
                raise ProtocolError("too-long", f"a line is longer than {LONGEST_LINE} bytes")
        return None


class RequestParser(_Input):
    """A server's parser of what one client sends.

    After :exc:`ProtocolError` the connection has lost its place: drop the parser.

    :param most: bytes of the longest DATA.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self._left = 0
        self._has_stream = False

    @property
    def torn(self) -> bool:
        """Whether a line, or the bytes of a DATA, have begun and not ended."""
        return self._left > 0 or super().torn

    def next_event(self) -> Request | None:
        """Return the next message, or ``None`` when more has to be fed.

        A ``Payload`` is a view of what was fed.

        :raises ProtocolError: with the code and the text that the client is to be told.
        """
        if self._left:
            piece = self._take(self._left)
            self._left -= len(piece)
            return Payload(piece, last=not self._left) if piece else None
        line = self._next_line()
        return None if line is None else self._request(line)

    def _request(self, line: str) -> Request:
        match line.split(" "):
            case ["DATA", offset, length]:
                return self._data(parse_number(offset), parse_number(length))
            case ["STREAM", stream]:
                try:
                    found = Stream(decode_id(stream))
                except BadIdError as error:
                    raise ProtocolError("bad-stream", str(error)) from None
                self._has_stream = True
                return found
            case ["END", offset]:
                self._need_stream()
                return End(parse_number(offset))
            case ["PING"]:
                return Ping()
        raise _syntax("a line is STREAM ID, DATA OFFSET LENGTH, END OFFSET or PING")

    def _data(self, offset: int, length: int) -> Data:
        self._need_stream()
        if length > self._most:
            raise ProtocolError("too-much", f"a DATA has at most {self._most} bytes")
        if length == 0 or offset + length > LARGEST:
            raise _syntax(f"a DATA has at least one byte, and ends before {LARGEST}")
        self._left = length
        return Data(offset, length)

    def _need_stream(self) -> None:
        if not self._has_stream:
            raise ProtocolError("no-stream", "STREAM ID has to come first")


class ReplyParser(_Input):
    """A client's parser of what the server sends."""

    def next_event(self) -> Reply | None:
        """Return the next message, or ``None`` when more has to be fed.

        :raises ProtocolError: when the other side speaks another protocol.
        """
        line = self._next_line()
        return None if line is None else _reply(line)


def _reply(line: str) -> Reply:
    match line.split(" "):
        case ["ACK", offset, digest, time, *signature] if len(signature) <= 1:
            return Ack(parse_number(offset), parse_hash(digest), *_stamp(time, signature))
        case ["DONE", offset, digest, time, *signature] if len(signature) <= 1:
            return Done(parse_number(offset), parse_hash(digest), *_stamp(time, signature))
        case ["STREAM", stream, offset, digest]:
            try:
                return Held(decode_id(stream), parse_number(offset), parse_hash(digest))
            except BadIdError as error:
                raise _syntax(str(error)) from None
        case ["WAIT", reason] if _CODE.fullmatch(reason):
            return Wait(reason)
        case ["GO"]:
            return Go()
        case ["PONG"]:
            return Pong()
        case ["READY", version, *words]:
            return _ready(version, words)
        case ["ERROR", code, *text] if _CODE.fullmatch(code):
            return Error(code, " ".join(text))
    raise _syntax("not a line of the acknowledgement protocol")


def _stamp(time: str, signature: list[str]) -> tuple[int, bytes | None]:
    return parse_number(time), decode_base64(signature[0], 64) if signature else None


def _ready(version: str, words: list[str]) -> Ready:
    if version != str(VERSION):
        raise ProtocolError("version", f"the server speaks version {version}, not {VERSION}")
    known = {name: value for name, _, value in (word.partition("=") for word in words)}
    most, leaf = (parse_number(known.get(name, "0")) for name in ("most", "leaf"))
    if not most or not leaf or "sync" not in known:
        raise _syntax("READY has no sync, most or leaf")
    key = decode_base64(known["key"], 32) if "key" in known else None
    return Ready(known["sync"], known.get("framing", "raw"), most, leaf, key)
