"""Plain answers: one line of text for what went wrong, and what every answer says besides.

This module must not know what is served.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"Content-Security-Policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"X-Frame-Options", b"DENY"),
)
"""What every answer of a :class:`~socketsuite.web.site.BoundedSite` says, unless its resource
says it otherwise."""

_TEXT = b"text/plain; charset=utf-8"


def phrase(status: int) -> str:
    """Return the words that belong to a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def answer(request: Any, status: int, text: str, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """Make *request*'s answer one line of text, and return it."""
    request.setResponseCode(status, phrase(status).encode())
    request.setHeader(b"Content-Type", _TEXT)
    for name, value in headers:
        request.setHeader(name.encode(), value.encode())
    return f"{status} {text}\n".encode()


def refusal(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a whole answer to what is no request, or must not be read to its end."""
    body = f"{status} {phrase(status)}\n".encode()
    lines = [
        f"HTTP/1.1 {status} {phrase(status)}".encode(),
        b"Content-Type: " + _TEXT,
        b"Content-Length: %d" % len(body),
        b"Connection: close",
        *(name + b": " + value for name, value in headers),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
