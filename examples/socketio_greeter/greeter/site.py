"""A greeting by Socket.IO: an event for the client on connect, and one for the server."""

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
        socket.emit("mensajeClientePersonalizado", "Hola, cliente")

    @server.on("mensajeServidorPersonalizado")
    def message(socket: Socket, *said: Any) -> str:
        _log.info("{id} says {said!r}", id=socket.id, said=said)
        return "recibido"

    @server.on("mensajeClientePersonalizado")
    def returned(socket: Socket, *said: Any) -> None:
        socket.emit("mensajeServidorPersonalizado", *said)  # what is for clients comes back

    return server.site()
