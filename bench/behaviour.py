"""Do the servers all do the same?  A figure for one that does not would mean nothing.

Each check talks to a server as its clients do and raises ``AssertionError`` with what is
wrong.  This module must not know which server it talks to.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Callable, Mapping

from bench.contestants import Files

_PATIENCE = 5.0
_HOST = "127.0.0.1"


def _connect(port: int) -> socket.socket:
    return socket.create_connection((_HOST, port), timeout=_PATIENCE)


def _read(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (more := connection.recv(count - len(data))):
        data += more
    return data


def _same(got: bytes, expected: bytes, what: str) -> None:
    assert got == expected, f"{what}: {got[:80]!r} instead of {expected[:80]!r}"


def _tcp_echo(port: int, files: Files) -> None:
    sent = bytes(range(256)) * 64
    with _connect(port) as connection:
        connection.sendall(sent)
        _same(_read(connection, len(sent)), sent, "echo")
        connection.shutdown(socket.SHUT_WR)
        _same(connection.recv(1), b"", "after our FIN")


def _tls_echo(port: int, files: Files) -> None:
    context = ssl.create_default_context(cafile=files.authority)
    with context.wrap_socket(_connect(port), server_hostname="localhost") as connection:
        assert connection.version() == "TLSv1.3", f"speaks {connection.version()}"
        connection.sendall(b"hello")
        _same(_read(connection, 5), b"hello", "echo")


def _udp_echo(port: int, files: Files) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(_PATIENCE)
        client.sendto(b"hello", (_HOST, port))
        _same(client.recv(100), b"hello", "echo")


def _chat(port: int, files: Files) -> None:
    with _connect(port) as ann, _connect(port) as bob:
        bob.sendall(b"first\nsec")
        _same(_read(ann, 9), b"-> first\n", "a line")
        ann.sendall(b"answer\n")
        # The first thing Bob hears is Ann: his own line did not come back to him.
        _same(_read(bob, 10), b"-> answer\n", "another's line")
        bob.sendall(b"ond\n")
        _same(_read(ann, 10), b"-> second\n", "a line in two halves")


def _expect(connection: socket.socket, what: bytes) -> bytes:
    """Return what is received up to *what*, which is the end of a line or a part of it."""
    data = b""
    while what not in data:
        more = connection.recv(4096)
        assert more, f"closed before {what!r}"
        data += more
    return data


def _irc(port: int, files: Files) -> None:
    with _connect(port) as ann, _connect(port) as bob:
        for nick, person in ((b"ann", ann), (b"bob", bob)):
            person.sendall(b"CAP LS 302\r\nNICK %b\r\nUSER bench 0 * :A benchmark\r\n" % nick)
            _expect(person, b" LS ")
            person.sendall(b"CAP END\r\n")
            _expect(person, b" 001 %b " % nick)
            person.sendall(b"JOIN #bench\r\n")
            _expect(person, b" 366 %b #bench " % nick)
        assert b"JOIN" in _expect(ann, b"#bench\r\n"), "who is there is not told who comes"
        bob.sendall(b"PRIVMSG #bench :hello you\r\n")
        heard = _expect(ann, b"\r\n")
        _same(heard.partition(b"!")[0], b":bob", "who spoke")
        _same(heard.partition(b" ")[2], b"PRIVMSG #bench :hello you\r\n", "a message")


def _frame(payload: bytes) -> bytes:
    """Return a short text frame as a client sends it, by a mask of zeros."""
    return bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload


def _web(port: int, path: bytes, requests: list[tuple[bytes, bytes]], say: bytes) -> None:
    """Have two come in by *requests*, each with what its answer holds; one says something."""
    hello = (
        b"GET %b HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % path
    )
    with _connect(port) as ann, _connect(port) as bob:
        for nick, person in ((b"ann", ann), (b"bob", bob)):
            person.sendall(hello)
            _expect(person, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")  # RFC 6455, 1.3
            for request, answer in requests:
                person.sendall(_frame(request.replace(b"NICK", nick)))
                _expect(person, answer)
        bob.sendall(_frame(say))
        heard = _expect(ann, b'"hello you"')
        assert b'"type":"message"' in heard, f"a message is heard as {heard[:200]!r}"
        assert b'"nick":"bob"' in heard, f"a message is heard as {heard[:200]!r}"


def _websocket(port: int, files: Files) -> None:
    requests = [
        (b'{"type":"hello","version":1,"nick":"NICK"}', b'"done"'),
        (b'{"type":"join","room":"bench"}', b'"done"'),
    ]
    _web(port, b"/ws", requests, b'{"type":"say","room":"bench","text":"hello you"}')


def _socketio(port: int, files: Files) -> None:
    requests = [
        (b"40", b"40{"),
        (b'420["hello",{"version":1,"nick":"NICK"}]', b"430["),
        (b'421["join",{"room":"bench"}]', b"431["),
    ]
    say = b'42["say",{"room":"bench","text":"hello you"}]'
    _web(port, b"/socket.io/?EIO=4&transport=websocket", requests, say)


def _accumulator(port: int, files: Files) -> None:
    with _connect(port) as connection:
        data = struct.pack("<4i", 1, 2, -30, 10_000)
        connection.sendall(data[:5])
        connection.sendall(data[5:])
        _same(_read(connection, 4), struct.pack("<i", 9973), "the sum")


def _file_sink(port: int, files: Files) -> None:
    with _connect(port) as connection:
        connection.sendall(b"hello")
        connection.shutdown(socket.SHUT_WR)
        _same(connection.recv(1), b"", "after our FIN")
    deadline = time.monotonic() + _PATIENCE
    while (got := files.sink.read_bytes()) != b"hello" and time.monotonic() < deadline:
        time.sleep(0.02)  # a server may write behind its FIN
    _same(got, b"hello", "the file")


CHECKS: Mapping[str, Callable[[int, Files], None]] = {
    "tcp-echo": _tcp_echo,
    "tls-echo": _tls_echo,
    "udp-echo": _udp_echo,
    "chat": _chat,
    "irc": _irc,
    "websocket": _websocket,
    "socketio": _socketio,
    "accumulator": _accumulator,
    "filesink": _file_sink,
}


def complaint(service: str, port: int, files: Files) -> str:
    """Return what is wrong with a server, or an empty text."""
    try:
        CHECKS[service](port, files)
    except (AssertionError, OSError) as error:
        return f"does not behave: {error}"
    return ""
