"""A client of IRC over a raw socket, for tests: what it sends, and what it is sent."""

from __future__ import annotations

import contextlib
import re
import ssl
from collections.abc import Iterator

from socketsuite.testing import Daemon


class Caller:
    """One connection to the IRC port; everything is text without CR LF."""

    def __init__(self, daemon: Daemon, context: ssl.SSLContext | None = None) -> None:
        kind = "tcp" if context is None else "tls"
        self.socket = daemon.connect(port=daemon.port(kind, frontend="irc"))
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self._file = self.socket.makefile("rb")
        self._pings = 0

    def send(self, *lines: str) -> None:
        self.socket.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def line(self) -> str:
        """Return the next line; empty at the end."""
        raw = self._file.readline()
        assert len(raw) - (raw.index(b" ") + 1 if raw[:1] == b"@" else 0) <= 512
        return raw.decode().removesuffix("\r\n")

    def until(self, pattern: str) -> list[str]:
        """Return the lines up to the first that matches, with it."""
        lines = []
        while True:
            lines.append(self.line())
            if re.search(pattern, lines[-1]):
                return lines
            assert lines[-1], f"closed before {pattern!r}: {lines}"

    def expect(self, pattern: str) -> re.Match[str]:
        """Return the match of the first line that matches."""
        found = re.search(pattern, self.until(pattern)[-1])
        assert found is not None
        return found

    def ask(self, *lines: str) -> list[str]:
        """Send *lines*, and return all that is said until they are answered."""
        self._pings += 1
        self.send(*lines, f"PING :done{self._pings}")
        return self.until(rf" PONG \S+ :?done{self._pings}$")[:-1]

    def offered(self) -> dict[str, str]:
        """Return the capabilities that there are, with their values."""
        lines = [line for line in self.ask("CAP LS 302") if " LS " in line]
        names = " ".join(line.partition(" :")[2] for line in lines)
        return dict(word.partition("=")[::2] for word in names.split())

    def close(self) -> None:
        """Go, and wait until the server knows."""
        with contextlib.suppress(OSError):
            self.send("QUIT")
            while self._file.readline():
                pass
        self._file.close()
        self.socket.close()


@contextlib.contextmanager
def caller(daemon: Daemon, nick: str, *capabilities: str) -> Iterator[Caller]:
    """Somebody who has registered as *nick*."""
    one = Caller(daemon)
    try:
        if capabilities:
            one.send("CAP LS 302", f"CAP REQ :{' '.join(capabilities)}")
            one.expect(r" CAP \S+ ACK ")
        one.send(f"NICK {nick}", f"USER {nick} 0 * :Real {nick}")
        if capabilities:
            one.send("CAP END")
        one.expect(r" (376|422) ")
        yield one
    finally:
        one.close()
