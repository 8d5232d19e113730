"""What is fuzzed: every target by its name, with input to begin with and words to change it by.

A target is a function of bytes that returns where everything is as it should be, and raises where
it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.fuzz import (
    ack_parsers,
    parsers,
    socketio,
    stage,
    storage,
    web,
    web_parsers,
    web_words,
    words,
)
from tests.support.websocket_frames import opening


@dataclass(frozen=True)
class Target:
    """One target.

    :ivar run: is given one input.
    :ivar seeds: returns valid input; *words* what it is changed by.
    :ivar share: its part of all inputs; what takes long has a small one.
    """

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    words: Callable[[], list[bytes]]
    share: float


def _irc_lines() -> list[bytes]:
    return [line for talk in words.irc_talks() for line in talk[1:].split(b"\r\n") if line]


def _some(*seeds: bytes) -> Callable[[], list[bytes]]:
    return lambda: list(seeds)


_CLIENT_FIRST = b"n,,n=eve,r=theirs\nc=biws,r=theirsours,p=" + b"A" * 43 + b"="
_ACCOUNT = f"eve:{stage.HASH}:scram-sha-256={parsers.VERIFIER}:certfp={'ab' * 32}".encode()
_BLOCK = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 3, 4])
_PROXY_LINE = b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\nhi"
_PROXY_WORDS = [b"PROXY ", b"TCP4 ", b"TCP6 ", b"UNKNOWN", b"\r\n", b"::1 ", b"1.2.3.4 ", b"65535"]

_OPENING = b"GET HTTP/1.1\n" + b"\n".join(opening().split(b"\r\n")[1:])
_OPENING_WORDS = [
    *_OPENING.split(b"\n"),
    b"\nsec-websocket-protocol: a, b",
    b'\nsec-websocket-extensions: permessage-deflate; client_max_window_bits=15; x="y"',
]

TARGETS: dict[str, Target] = {
    "irc-line": Target(parsers.irc_line, _irc_lines, words.irc, 0.2),
    "irc-modes": Target(parsers.irc_modes, _some(b"+ov-b+l a b *!*@* 5", b"beIq"), words.irc, 0.1),
    "irc-pieces": Target(
        parsers.irc_pieces,
        _some(b"\x20some words and more", b"\0" + "ñ😀".encode() * 20),
        words.general,
        0.1,
    ),
    "masks": Target(
        parsers.masks,
        _some(b"*!*@*.example.org\nbob!b@a.example.org", b"*a*b?*\nxaxb"),
        words.general,
        0.1,
    ),
    "names": Target(parsers.names, _some("ñandú".encode(), b"#tea", b"a`b|c"), words.general, 0.1),
    "printable": Target(parsers.printed, _some(b"hello\x1b[2J"), words.general, 0.1),
    "line-framer": Target(
        parsers.line_framer, _some(b"a\r\nb\n\nc"), _some(b"\r\n", b"\n", b"x" * 39), 0.1
    ),
    "records": Target(
        storage.records,
        _some(b"one\n\nlonger than that\nrest", b"\0\0\0\1a\0\0\0\0\0\0\0\x0c" + b"x" * 12),
        _some(b"\n", b"x" * 9, b"\0\0\0\x09", b"\0\0\0\x0a", b"\0\0\0"),
        0.1,
    ),
    "file-names": Target(
        storage.file_names,
        _some(b"a/../b~000001", "%2e/ñ\u3164".encode(), b"x/{date}/{peer}-{seq}", b"a" * 201),
        _some(b"..", b"/", b"~", b"%", b"{stream}", b"{{", b"}", b" ", b".", b"\xff", b"\0"),
        0.1,
    ),
    "proxy-header": Target(
        parsers.proxy_header,
        _some(_PROXY_LINE, b"PROXY UNKNOWN\r\n", _BLOCK, _BLOCK + b"hi"),
        _some(*_PROXY_WORDS, _BLOCK[:12], b"\x03\0\x04"),
        0.06,
    ),
    "scram": Target(
        parsers.scram,
        _some(_CLIENT_FIRST, str(parsers.VERIFIER).encode()),
        _some(b"n,,", b"y,,", b"p=tls-unique,,", b"a=eve,", b"=2C", b",r=", b",m=", b"\n"),
        0.05,
    ),
    "account-line": Target(
        parsers.account_line,
        _some(_ACCOUNT, b"eve:*"),
        _some(b":", b"scram-sha-256=", b"certfp=", b"$argon2id$v=19$m=", b"*"),
        0.05,
    ),
    "ack-requests": Target(
        ack_parsers.ack_requests, _some(*ack_parsers.REQUESTS), _some(*ack_parsers.WORDS), 0.1
    ),
    "ack-replies": Target(
        ack_parsers.ack_replies, _some(*ack_parsers.REPLIES), _some(*ack_parsers.WORDS), 0.05
    ),
    "receipts": Target(
        ack_parsers.receipts, _some(*ack_parsers.RECEIPTS), _some(*ack_parsers.WORDS), 0.05
    ),
    "engine-payload": Target(
        socketio.engine_payload, _some(*socketio.PAYLOADS), _some(*socketio.WORDS), 0.05
    ),
    "socketio-packet": Target(
        socketio.socketio_packet, _some(*socketio.PACKETS), _some(*socketio.WORDS), 0.1
    ),
    "socketio-session": Target(
        socketio.socketio_session, _some(*socketio.SESSIONS), _some(*socketio.WORDS), 0.03
    ),
    "irc-chat": Target(stage.irc_chat, words.irc_talks, words.irc, 0.015),
    "line-chat": Target(stage.line_chat, words.line_talks, words.lines, 0.015),
    "mixed-chat": Target(stage.mixed_chat, words.line_talks, words.all_words, 0.007),
    "ncat-chat": Target(stage.ncat_chat, words.line_talks, words.lines, 0.003),
    "websocket-grammar": Target(
        web_parsers.websocket_grammar, _some(b"\x03\xe8bye", _OPENING), _some(*_OPENING_WORDS), 0.05
    ),
    "forwarded": Target(
        web_parsers.forwarded,
        _some(b"for=1.2.3.4;proto=http, for=10.0.0.1\n1.2.3.4", b'for="[2001:db8::1]:80"\n'),
        _some(b"for=", b'"[', b']:80"', b", ", b";", b"unknown", b"_x", b"10.0.0.1", b"\n", b"\\"),
        0.05,
    ),
    "bounded-json": Target(
        web_parsers.bounded_json, web_words.json_talks, web_words.json_words, 0.05
    ),
    "http": Target(web.http, web_words.http_requests, web_words.http_words, 0.006),
    "websocket": Target(web.websocket, web_words.websocket_talks, web_words.websocket_words, 0.006),
    "websocket-json": Target(web.websocket_json, web_words.json_talks, web_words.json_words, 0.006),
    "web-polling": Target(web.polling, web_words.engine_payloads, web_words.engine_words, 0.006),
}
"""All of them."""
