"""What a WebSocket's peer says: bytes to messages, by wsproto's frame parser, with bounds.

An object of this is made when bytes come and dropped when nothing of a message is left, so that
an idle connection holds none.  It must not know of transports, nor what a message means.
"""

from __future__ import annotations

import codecs
import zlib
from typing import Any, NamedTuple

from wsproto.extensions import Extension
from wsproto.frame_protocol import (
    CloseReason,
    FrameDecoder,
    FrameProtocol,
    Header,
    Opcode,
    ParseFailed,
    RsvBits,
)

from socketsuite.wire.websocket import TEXT, CloseCode

_TAIL = b"\x00\x00\xff\xff"
_UTF8 = codecs.getincrementaldecoder("utf-8")


class BadFrameError(Exception):
    """What breaks the protocol or a limit; the connection ends with *code*."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Event(NamedTuple):
    """A whole message (text as ``str``, binary as ``bytes``), or a control frame's payload."""

    opcode: int
    payload: Any


class _Compression(Extension):
    """Tells wsproto's parser that RSV1 has a meaning; what it means is told below."""

    name = "permessage-deflate"

    def offer(self) -> bool:
        return False

    def frame_inbound_header(
        self,
        proto: FrameDecoder | FrameProtocol,
        opcode: Opcode,
        rsv: RsvBits,
        payload_length: int,
    ) -> RsvBits | CloseReason:
        return RsvBits(opcode in (Opcode.TEXT, Opcode.BINARY), False, False)


_COMPRESSION: list[Extension] = [_Compression()]


class _Message:
    """One message while it comes: its pieces, counted, inflated and looked at as UTF-8.

    :ivar size: bytes of it so far, as they were before compression.
    """

    __slots__ = ("compressed", "frames", "inflator", "kept", "size", "text", "utf8", "wire_size")

    def __init__(self, text: bool, compressed: bool) -> None:
        self.text, self.compressed = text, compressed
        self.frames = self.size = self.wire_size = 0
        self.kept: bytearray | None = None
        self.inflator: Any = None
        self.utf8: Any = None

    def add(self, piece: bytes, complete: bool, most: int) -> str | bytes | None:
        """Add a piece; return the message when it is complete."""
        if self.compressed:
            piece = self._inflate(piece, most)
            if complete:
                piece += self._inflate(_TAIL, most)
        else:
            self.size += len(piece)
        if complete and self.kept is None:
            return _decode(piece) if self.text else piece  # the usual case: it came whole
        if self.text:
            # Whatever cannot become UTF-8 any more is told at once (RFC 6455, 8.1).
            self.utf8 = self.utf8 or _UTF8()
            try:
                self.utf8.decode(piece, complete)
            except UnicodeDecodeError:
                raise _not_utf8() from None
            begun: bytes = self.utf8.getstate()[0]
            if begun[:1] == b"\xed" and begun[1:] >= b"\xa0":
                raise _not_utf8()  # a surrogate, which Python refuses at its third byte
        if self.kept is None:
            self.kept = bytearray()
        self.kept += piece
        if not complete:
            return None
        return self.kept.decode() if self.text else bytes(self.kept)

    def _inflate(self, data: bytes, most: int) -> bytes:
        """Return what *data* stands for, as long as the message does not become too large."""
        if self.inflator is None:
            self.inflator = zlib.decompressobj(-zlib.MAX_WBITS)
        elif self.inflator.eof:
            return b""  # its last block is over; what follows says nothing
        try:
            piece: bytes = self.inflator.decompress(data, most - self.size + 1)
        except zlib.error:
            raise BadFrameError(CloseCode.INVALID_DATA, "a message that does not inflate") from None
        self.size += len(piece)
        if self.size > most:
            raise _too_big()
        return piece


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _not_utf8() from None


def _not_utf8() -> BadFrameError:
    return BadFrameError(CloseCode.INVALID_DATA, "a text message that is not UTF-8")


def _too_big() -> BadFrameError:
    return BadFrameError(CloseCode.MESSAGE_TOO_BIG, "a message that is too big")


class Incoming:
    """One direction of a connection: :meth:`feed` it bytes, and take each :meth:`next` event.

    :param most_bytes: of a message, as it was before compression.
    :param most_frames: that a message may come in.
    :param inflates: compression was agreed on.
    """

    __slots__ = ("_decoder", "_message", "_most_bytes", "_most_frames")

    def __init__(self, most_bytes: int, most_frames: int, inflates: bool) -> None:
        self._most_bytes, self._most_frames = most_bytes, most_frames
        self._decoder = FrameDecoder(False, _COMPRESSION if inflates else [])
        self._message: _Message | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing of a frame or a message is held."""
        decoder = self._decoder
        return self._message is None and decoder.header is None and not len(decoder.buffer)

    def feed(self, data: bytes) -> None:
        """Add what has come."""
        self._decoder.receive_bytes(data)

    def next(self) -> Event | None:
        """Return what is complete, or ``None`` when more bytes are needed.

        :raises BadFrameError: once, and then nothing more can be read.
        """
        decoder = self._decoder
        try:
            while True:
                if decoder.header is None:
                    if not decoder.parse_header():
                        return None
                    header: Any = decoder.header
                    self._judge(header)
                frame = decoder.process_buffer()
                if frame is None:
                    return None
                if frame.opcode >= Opcode.CLOSE:
                    return Event(frame.opcode, frame.payload)
                message = self._message
                assert message is not None
                complete = frame.frame_finished and frame.message_finished
                whole = message.add(frame.payload, complete, self._most_bytes)  # type: ignore[arg-type]
                if whole is not None:
                    self._message = None
                    return Event(TEXT if message.text else Opcode.BINARY, whole)
        except ParseFailed as failed:
            raise BadFrameError(failed.code, str(failed)) from None

    def _judge(self, header: Header) -> None:
        """Judge a frame by its header, before anything of its payload is taken."""
        if header.opcode >= Opcode.CLOSE:
            return
        message = self._message
        if (header.opcode == Opcode.CONTINUATION) != (message is not None):
            text = "a message within another" if message else "a continuation of no message"
            raise BadFrameError(CloseCode.PROTOCOL_ERROR, text)
        if message is None:
            message = _Message(header.opcode == Opcode.TEXT, header.rsv.rsv1)
            self._message = message
        message.frames += 1
        message.wire_size += header.payload_len
        most = self._most_bytes
        if message.compressed:
            most += (most >> 6) + 64  # what does not compress becomes a little larger by it
        if message.wire_size > most or message.frames > self._most_frames:
            raise _too_big()
