"""What a request of Engine.IO is answered, in the words and numbers of its JavaScript server."""

from __future__ import annotations

import json
from enum import IntEnum

from twisted.web.server import Request


class Refusal(IntEnum):
    """The codes of an answer that opens nothing."""

    UNKNOWN_TRANSPORT = 0
    UNKNOWN_SID = 1
    BAD_HANDSHAKE_METHOD = 2
    BAD_REQUEST = 3
    FORBIDDEN = 4
    UNSUPPORTED_PROTOCOL_VERSION = 5


_WORDS = {
    Refusal.UNKNOWN_TRANSPORT: "Transport unknown",
    Refusal.UNKNOWN_SID: "Session ID unknown",
    Refusal.BAD_HANDSHAKE_METHOD: "Bad handshake method",
    Refusal.BAD_REQUEST: "Bad request",
    Refusal.FORBIDDEN: "Forbidden",
    Refusal.UNSUPPORTED_PROTOCOL_VERSION: "Unsupported protocol version",
}


class RequestRefusedError(Exception):
    """A request that is answered by a status and a code."""

    def __init__(self, code: Refusal, status: int = 400) -> None:
        super().__init__(_WORDS[code])
        self.code, self.status = code, status


def answer_refusal(request: Request, refused: RequestRefusedError) -> bytes:
    """Return the body that says what is wrong, and set the status."""
    request.setResponseCode(refused.status)
    request.setHeader("Content-Type", "application/json")
    words = {"code": int(refused.code), "message": str(refused)}
    return json.dumps(words, separators=(",", ":")).encode()


def answer_packets(request: Request, body: bytes) -> None:
    """End a poll with its packets."""
    request.setHeader("Content-Type", "text/plain; charset=UTF-8")
    request.setHeader("Content-Length", str(len(body)))
    request.write(body)
    request.finish()
