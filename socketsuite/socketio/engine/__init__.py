"""Engine.IO, protocol 4: messages both ways over polling, over WebSocket, or first the one.

It must not know what a message means: Socket.IO is a room further up.
"""

from socketsuite.socketio.engine.packets import Encoded, PacketError
from socketsuite.socketio.engine.resource import EngineResource
from socketsuite.socketio.engine.server import EngineServer
from socketsuite.socketio.engine.session import Handler, Handshake, Session

__all__ = [
    "Encoded",
    "EngineResource",
    "EngineServer",
    "Handler",
    "Handshake",
    "PacketError",
    "Session",
]
