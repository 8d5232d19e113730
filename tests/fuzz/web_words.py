"""Words and valid input of what comes by HTTP: requests, frames, payloads and packets.

The chat's requests and their fields are read from the table that the code obeys.
"""

from __future__ import annotations

import json
from typing import Any

from socketsuite.services.chat.web.fields import MODE_LETTERS, Field
from socketsuite.services.chat.web.requests import REQUESTS
from tests.fuzz import words
from tests.fuzz.words import LATER, OTHER
from tests.support.websocket_frames import BINARY, CLOSE, PING, TEXT, frame, opening

_NO_MASK = bytes(4)
_VALUES = {"room": "tea", "nick": "mallory", "to": "anna", "text": "hello", "version": 1}


def _example(name: str, field: Field) -> Any:
    """Return a value that *field* may have."""
    if name in _VALUES:
        return _VALUES[name]
    if field.choices:
        return field.choices[0]
    examples = {"text": "right", "integer": field.least, "boolean": True}
    return examples.get(field.kind, [{"mode": "secret", "on": True}])


def _requests() -> list[dict[str, Any]]:
    """Return every request: with what it needs, and with all it may have."""
    found = []
    for name, request in REQUESTS.items():
        for needed in (True, False):
            fields = {
                key: _example(key, field)
                for key, field in request.fields.items()
                if field.required or not needed
            }
            found.append({"type": name, **fields})
    return found


_HELLO = {"type": "hello", "version": 1, "nick": "mallory"}
_BEGIN = [_HELLO, {"type": "join", "room": "tea"}]


def _text(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def json_talks() -> list[bytes]:
    """Return valid talks in JSON, each request a line."""
    begin = b"\n".join(map(_text, _BEGIN)) + b"\n"
    return [begin + _text({**one, "request": "x"}) for one in _requests()]


def json_words() -> list[bytes]:
    """Return words of JSON, and of the chat's requests."""
    names = {f'"{key}":' for request in REQUESTS.values() for key in request.fields}
    kinds = [f'"type":"{name}"' for name in REQUESTS]
    modes = [f'"{name}"' for name in MODE_LETTERS]
    marks = ["{", "}", "[", "]", ",", '"', "null", "true", "1e999", "-1", "\\ud800", "\\u001b[2J"]
    deep = ["[" * 50, '{"a":' * 50]
    found = [*sorted(names), *kinds, *modes, *marks, *deep, '"request":"y",']
    return [*(one.encode() for one in found), *words.general()]


def socketio_words() -> list[bytes]:
    """Return words of packets."""
    own = [b"0", b"1", b"2", b"4", b"51-", b"61-", b"/custom,", b'{"_placeholder":true,"num":0}']
    return [*own, b'"connect"', b"\xff", b'["x"', *json_words()]


def engine_payloads() -> list[bytes]:
    """Return valid payloads, as they are posted; polls in between."""
    begin = OTHER + b"420" + _text(["hello", _HELLO]) + OTHER
    each = [begin + b"421" + _text([one["type"], one]) + OTHER for one in _requests()]
    together = begin + b"\x1e".join([b"3", b"bAAEC", b"42[]", b"6", b"41"]) + OTHER + LATER
    binary = b'451-["x",{"_placeholder":true,"num":0}]\x1ebAAEC'
    return [b"3", b"1", b"4", b'42["x"]\x1e42["y"]', binary, together, *each]


def engine_words() -> list[bytes]:
    """Return words of payloads."""
    return [b"\x1e", b"2probe", b"5", b"6", b"3", b"bAAEC", b"42", b"420", *socketio_words()]


def websocket_talks() -> list[bytes]:
    """Return valid frames for each of the subprotocols, and for a session of Socket.IO."""
    begin = b"".join(frame(TEXT, _text(one), mask=_NO_MASK) for one in _BEGIN)
    lines = b"".join(
        frame(TEXT, one, mask=_NO_MASK) for one in (b"/nick mallory", b"/join tea", b"hello")
    )
    irc = b"".join(
        frame(TEXT, one, mask=_NO_MASK)
        for one in (b"NICK mallory", b"USER m 0 * :M", b"JOIN #tea", b"PRIVMSG #tea :hello")
    )
    packets = b"".join(
        frame(TEXT, one, mask=_NO_MASK) for one in (b"40", b"420" + _text(["hello", _HELLO]), b"3")
    )
    parts = frame(TEXT, b'{"type":', fin=False, mask=_NO_MASK) + frame(PING, b"x", mask=_NO_MASK)
    parts += frame(0, b'"who","room":"tea"}', mask=_NO_MASK)
    close = frame(CLOSE, b"\x03\xe8bye", mask=_NO_MASK)
    # "{}" compressed by itself (RFC 7692).
    small = frame(TEXT, b"\xab\xae\x05\x00", rsv=4, mask=_NO_MASK)
    found = [b"\0" + begin + close, b"\1" + lines, b"\2" + irc, b"\4" + small, b"\x08" + packets]
    found += [b"\3" + irc.replace(b"\x81", b"\x82"), b"\0" + begin + parts]
    found += [b"\x0c" + packets + frame(BINARY, b"\0\1", mask=_NO_MASK), b"\4" + begin + small * 9]
    return found


def websocket_words() -> list[bytes]:
    """Return heads of frames, right and wrong, and words of what they carry."""
    heads = [b"\x81\x85" + _NO_MASK, b"\x01\x80" + _NO_MASK, b"\x80\x80" + _NO_MASK]
    heads += [b"\x88\x82" + _NO_MASK + b"\x03\xe8", b"\x89\x80" + _NO_MASK, b"\xc1\xfe\x00\x7e"]
    heads += [b"\x81\xff" + b"\xff" * 8, b"\x82\xfe\xff\xff", b"\xf1", b"\x83\x80", b"\x81\x05"]
    return [*heads, b"\x00\x00\xff\xff", *json_words(), *words.irc(), *words.lines()]


def http_requests() -> list[bytes]:
    """Return valid requests, one or several, of everything that the site has."""
    paths = ["/", "/ws", "/socket.io/?EIO=4&transport=polling", "/nothing", "/page.js", "/ws/x"]
    gets = [f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n" for path in paths]
    post = "POST /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: a\r\n"
    more = [
        "HEAD / HTTP/1.0\r\nConnection: close\r\n\r\n",
        "OPTIONS /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\n\r\n",
        f"{post}Content-Length: 2\r\n\r\n40",
        f"{post}Transfer-Encoding: chunked\r\n\r\n2\r\n40\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nForwarded: for=1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
        "".join(gets),
    ]
    texts = [b"\0" + one.encode() for one in [*gets, *more]]
    chosen = "Sec-WebSocket-Protocol: chat.v1.json, lines"
    return [*texts, b"\0" + opening("/ws", chosen, "Origin: http://localhost")]


def http_words() -> list[bytes]:
    """Return words of requests."""
    found = [
        "GET ", "POST ", "HEAD ", "OPTIONS ", "CONNECT ", " HTTP/1.1\r\n", " HTTP/1.0\r\n",
        " HTTP/2.0\r\n", "\r\n", "\n", "\r\n\r\n", "Host: a\r\n", "Content-Length: 5\r\n",
        "Content-Length: -1\r\n", "Transfer-Encoding: chunked\r\n", "Connection: close\r\n",
        "Connection: Upgrade\r\n", "Upgrade: websocket\r\n", "Expect: 100-continue\r\n",
        "Origin: http://b\r\n", "Forwarded: for=\"[::1]:4\"\r\n", "X-Forwarded-For: 1.2.3.4, x\r\n",
        "Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        "?EIO=4&transport=polling", "&sid=x", "transport=websocket", "%00", "%2e%2e/", "?a=%zz",
        "*", "ffffffffffffffff\r\n", "0\r\n\r\n", "Range: bytes=0-1\r\n", "If-None-Match: *\r\n",
        "Accept-Encoding: gzip\r\n", "Cookie: a=b\r\n", "Authorization: Basic YTpi\r\n",
    ]  # fmt: skip
    return [*(one.encode() for one in found), *words.ESCAPES]
