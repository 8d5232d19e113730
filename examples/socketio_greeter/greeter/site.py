"""A greeting by Socket.IO: an event of the server's on connect, and one of the client's."""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger

from socketsuite.socketio import Server, Socket, SocketIOSite

_log = Logger(namespace="acme-greeter")


def greeter_site(reactor: Any) -> SocketIOSite:
    """Return the site; the daemon asks for it by name."""
    server = Server(reactor)

    @server.on("connect")
    def connect(socket: Socket) -> None:
        socket.emit("mensajeServidorPersonalizado", "Hola, cliente")

    @server.on("mensajeClientePersonalizado")
    def message(socket: Socket, text: str) -> str:
        _log.info("{id} says {text!r}", id=socket.id, text=text)
        return "recibido"

    return server.site()
