"""``python -m socketsuite.testing.socketio_conformance``: what the public test suites talk to.

The suites of the Engine.IO and the Socket.IO protocol expect two applications at one port, with
short times: Engine.IO 4 at ``/engine.io/``, which sends each message back, and Socket.IO 5 at
``/socket.io/``.  It runs on loopback until it is ended.  It must not know of the daemon.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import react
from twisted.web.resource import Resource

from socketsuite.socketio import Namespace, Options, Server, Socket
from socketsuite.socketio.engine import Encoded, EngineResource, EngineServer, Session
from socketsuite.socketio.reasons import DisconnectReason

_LOOPBACK = ("127.0.0.1", "::1")
_APART = 0.05
"""Seconds between two packets that are not asked for: of two that its client reads at once, the
suite, which listens for one at a time, sees only the first."""


class _Echo:
    """Sends each message back."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def message_received(self, data: str | bytes) -> None:
        self._session.send(Encoded((data,)))

    def session_closed(self, reason: DisconnectReason) -> None:
        pass


def _answer(reactor: Any, namespace: Namespace) -> None:
    """Register what the suite of Socket.IO expects of a namespace."""

    @namespace.on("connect")
    def connect(socket: Socket, auth: dict[str, Any]) -> None:
        reactor.callLater(_APART, socket.emit, "auth", auth)

    @namespace.on("message")
    def message(socket: Socket, *arguments: Any) -> None:
        socket.emit("message-back", *arguments)

    @namespace.on("message-with-ack")
    def message_with_ack(socket: Socket, *arguments: Any) -> tuple[Any, ...]:
        return arguments


def _serve(reactor: Any, port: int) -> Deferred[None]:
    options = Options(
        ping_interval=0.3,
        ping_timeout=0.2,
        max_payload=1_000_000,
        connect_timeout=1.0,
        allow_origin=("*",),
    )
    server = Server(reactor, options)
    _answer(reactor, server)
    _answer(reactor, server.of("/custom"))
    root = Resource()
    root.putChild(b"engine.io", EngineResource(EngineServer(reactor, options, _Echo)))
    site = server.site(root)
    for host in _LOOPBACK:
        try:
            port = reactor.listenTCP(port, site, interface=host).getHost().port
        except CannotListenError as error:
            if host == _LOOPBACK[0]:  # a machine may have no IPv6
                sys.exit(f"cannot listen at {host} port {port}: {error.socketError}")
    print(f"listening at http://localhost:{port}", flush=True)
    return Deferred()


def main(arguments: Sequence[str]) -> None:
    """Run until a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m socketsuite.testing.socketio_conformance")
    parser.add_argument("--port", type=int, default=3000, help="0 for any; 3000 by default")
    react(_serve, [parser.parse_args(arguments).port])


if __name__ == "__main__":
    main(sys.argv[1:])
