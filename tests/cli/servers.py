"""Small servers of plain Python sockets, for the clients to talk to; each in a thread."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable

TIMEOUT = 20.0

Handler = Callable[[socket.socket], None]


class Server:
    """Serves *handler* to one connection after another, on a free port or a Unix socket.

    A failure of the handler is raised by :meth:`close`.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        family: int = socket.AF_INET,
        address: tuple[str, int] | str = ("127.0.0.1", 0),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._handler = handler
        self._tls = tls
        self._error: Exception | None = None
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(address)
        self._listener.listen()
        self._listener.settimeout(TIMEOUT)
        self.port: int = self._listener.getsockname()[1] if family != socket.AF_UNIX else 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(TIMEOUT)
            try:
                if self._tls is not None:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                self._handler(connection)
            except ssl.SSLError:
                pass  # a client that does not like our certificate says so
            except Exception as error:  # noqa: BLE001 - shown by close()
                self._error = error
            finally:
                connection.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(TIMEOUT)
        if self._error is not None:
            raise self._error


def goodbye(connection: socket.socket) -> None:
    """End our sending: with TLS's close_notify, or with FIN."""
    if isinstance(connection, ssl.SSLSocket):
        with contextlib.suppress(OSError):
            connection.unwrap()
    else:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)


def echo(connection: socket.socket) -> None:
    """Send everything back as it comes, then end."""
    while data := connection.recv(1 << 16):
        connection.sendall(data)
    goodbye(connection)


def echo_afterwards(connection: socket.socket) -> None:
    """Send everything back once the client has ended its sending, and not before."""
    pieces = []
    while data := connection.recv(1 << 16):
        pieces.append(data)
    connection.sendall(b"".join(pieces))
    goodbye(connection)


def swallow(connection: socket.socket) -> None:
    """Read everything, then end."""
    while connection.recv(1 << 16):
        pass
    goodbye(connection)


def greet_and_swallow(connection: socket.socket) -> None:
    """Send one byte, by which the client is known to be connected; then read everything."""
    connection.sendall(b"!")
    swallow(connection)
