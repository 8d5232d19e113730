"""Socket.IO for any Twisted program: protocol 5 over Engine.IO 4, polling and WebSocket.

::

    server = Server(reactor)

    @server.on("hello")
    def hello(socket: Socket, name: str) -> str:
        server.emit("joined", name)
        return "welcome"  # the acknowledgement

    reactor.listenTCP(8080, server.site())

It must not know of the daemon, of its policies, nor of any service.
"""

from socketsuite.socketio.acknowledgements import AckTimeoutError
from socketsuite.socketio.broadcast import BroadcastOperator
from socketsuite.socketio.client import Refused
from socketsuite.socketio.engine import Handshake
from socketsuite.socketio.namespace import Namespace
from socketsuite.socketio.options import Options
from socketsuite.socketio.reasons import DisconnectReason
from socketsuite.socketio.server import Server, SocketIOSite
from socketsuite.socketio.socket import Socket

__all__ = [
    "AckTimeoutError",
    "BroadcastOperator",
    "DisconnectReason",
    "Handshake",
    "Namespace",
    "Options",
    "Refused",
    "Server",
    "Socket",
    "SocketIOSite",
]
