"""The files of the page, as resources: read once, sent with what keeps a browser strict.

This module must not know what is in them.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import Request

from socketsuite.services.chat.web import page

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
    "json": "application/schema+json",
}
INDEX = "index.html"


def policy(framed_by: str) -> str:
    """Return the Content-Security-Policy: nothing but what the page itself is made of.

    :param framed_by: sources that may show the page in a frame.
    """
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
        f"frame-ancestors {framed_by}; require-trusted-types-for 'script'"
    )


class PageFile(Resource):
    """One file of the page."""

    isLeaf = True

    def __init__(self, content: bytes, kind: str, security: str) -> None:
        super().__init__()
        self._content = content
        self._kind = kind
        self._security = security
        self._tag = b'"%b"' % hashlib.sha256(content).hexdigest()[:32].encode()

    def render_GET(self, request: Request) -> bytes:
        """Return the file, unless the client has it already."""
        headers = request.responseHeaders
        headers.setRawHeaders("Content-Type", [self._kind])
        headers.setRawHeaders("Content-Security-Policy", [self._security])
        headers.removeHeader("X-Frame-Options")  # the policy says who may
        # Asked for each time, and sent only where it has changed.
        headers.setRawHeaders("Cache-Control", ["no-cache"])
        unchanged: Any = request.setETag(self._tag)
        return b"" if unchanged else self._content


def page_files(framed_by: str = "'self'") -> dict[str, PageFile]:
    """Return the files, by their names; ``""`` is the page itself."""
    security = policy(framed_by)
    found = {}
    for file in files(page).iterdir():
        kind = _TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            found[file.name] = PageFile(file.read_bytes(), kind, security)
    if INDEX in found:
        found[""] = found[INDEX]
    return found
