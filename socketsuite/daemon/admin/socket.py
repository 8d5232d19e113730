"""The operator's Unix socket: what ``socketsuite status`` reads and asks for.

One JSON object a line, each way; lines of up to 64 KiB::

    {"command": "status", "limit": 1000}    one object, see ``Report.status``; the
                                            connections with the largest queue first
    {"command": "watch", "interval": 1}     such an object each so many seconds (0.1 to 60)
    {"command": "close", "id": 7}           {"closed": 7}
    {"command": "drain"}                    {"draining": true}
    {"command": "commands"}                 {"commands": [{"service", "name", "usage", "help"}]}
    {"command": "run", "service": "chat",   {"result": …}, whatever of JSON that is; a service's
     "name": "kick", "arguments": ["bob"]}  own command, one at a time

Anything else is answered by ``{"error": "…"}``, with ``"cause": "usage"`` where a service's command
was said wrongly.  Whoever may open the socket (mode 0600: who
runs the daemon, and root) may do all of it.  At most eight do at a time, and one that does
not read is dropped.  This module must not know how a status is shown.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from socketsuite.addresses import path_text
from socketsuite.daemon.admin.commands import Commands, Run
from socketsuite.daemon.admin.report import Report
from socketsuite.daemon.errors import StartError
from socketsuite.daemon.listen.settings import ListenSettings
from socketsuite.daemon.listen.sockets import BoundSocket, bind_all
from socketsuite.observe.events import Events
from socketsuite.policies.admission import AdmissionPolicy
from socketsuite.policies.admission_factory import AdmissionFactory
from socketsuite.policies.connections import Connections
from socketsuite.policies.idle_timeouts import IdleTimeouts
from socketsuite.policies.settings import AdmissionSettings, LimitSettings
from socketsuite.reasons import STOPPED
from socketsuite.transport.adopted import adopt_stream
from socketsuite.transport.observed import observe_port
from socketsuite.transport.options import PortOptions

_log = Logger(namespace="socketsuite")

MODE = 0o600
MOST_CONNECTIONS = 8
MOST_LISTED = 10_000
LONGEST_LINE = 64 << 10
SEND_QUEUE = 8 << 20
SLOW_SECONDS = 10.0
_IDLE_SECONDS = 300.0


class AdminProtocol(LineOnlyReceiver):
    """One operator's connection."""

    delimiter = b"\n"
    MAX_LENGTH = LONGEST_LINE
    transport: Any

    def __init__(self, report: Report, reactor: Any) -> None:
        self._report = report
        self._reactor = reactor
        self._commands = Commands(report.services, reactor)
        self._run: Run | None = None
        self._call: Any = None
        self._unread_since: float | None = None

    def lineReceived(self, line: bytes) -> None:
        """Obey one request."""
        if self.transport.why is not None:
            return  # dropped, with further requests still in hand
        try:
            request = json.loads(line)
            answer = self._obey(request if isinstance(request, dict) else {})
        except (ValueError, RecursionError):
            answer = {"error": "not a JSON object on one line"}
        if answer is not None:
            self._send(answer)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Say so, and read no more."""
        self._send({"error": f"a line is longer than {LONGEST_LINE} bytes"})
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Stop telling, and what is under way."""
        self._stop_watching()
        run, self._run = self._run, None
        if run is not None:
            run.cancel()

    def _obey(self, request: dict[str, Any]) -> dict[str, Any] | None:
        command = request.get("command")
        limit = _number(request.get("limit", 1000), 0, MOST_LISTED)
        if command in ("status", "watch") and limit is None:
            return {"error": f"limit must be a number from 0 to {MOST_LISTED}"}
        if command == "status":
            return self._report.status(int(limit or 0))
        if command == "watch":
            interval = _number(request.get("interval", 1), 0.1, 60)
            if interval is None:
                return {"error": "interval must be a number from 0.1 to 60"}
            self._stop_watching()
            self._watch(interval, int(limit or 0))
            return None
        if command == "close":
            return self._close(request.get("id"))
        if command == "drain":
            if not self._report.process.draining:
                _log.info("draining, as the admin socket was told")
                # After the answer: with nothing open, it is over at once.
                self._reactor.callLater(0, self._drain)
            return {"draining": True}
        if command == "commands":
            return {"commands": self._commands.listed()}
        if command == "run":
            return self._begin(request)
        known = "status, watch, close, drain, commands, run"
        return {"error": f"unknown command {command!r:.100}; known: {known}"}

    def _begin(self, request: dict[str, Any]) -> dict[str, Any] | None:
        if self._run is not None and not self._run.over:
            return {"error": "a command is under way; one at a time"}
        self._run = self._commands.run(request, self._send)
        return None

    def _drain(self) -> None:
        if not self._report.process.draining:
            self._report.process.drain()

    def _close(self, number: Any) -> dict[str, Any]:
        if not isinstance(number, int) or not self._report.close(number):
            return {"error": f"no connection has the id {number!r:.100}"}
        return {"closed": number}

    def _watch(self, interval: float, limit: int) -> None:
        """Send a status now, and again after *interval* seconds."""
        self._call = self._reactor.callLater(interval, self._watch, interval, limit)
        if not self.transport.queued:
            self._unread_since = None
            self._send(self._report.status(limit))
            return
        now = self._reactor.seconds()
        if self._unread_since is None:
            self._unread_since = now
        elif now - self._unread_since >= SLOW_SECONDS:
            self.transport.abortConnection()

    def _stop_watching(self) -> None:
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()

    def _send(self, answer: dict[str, Any]) -> None:
        self.transport.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")


def _number(raw: Any, least: float, most: float) -> float | None:
    if isinstance(raw, bool) or not isinstance(raw, (int, float)) or not least <= raw <= most:
        return None
    return raw


class AdminSocket(Service):
    """Listens on *path*, like a service's own Unix sockets; ``privilegedStartService`` binds."""

    def __init__(self, path: Path, report: Report, reactor: Any) -> None:
        self._path = path
        self._reactor = reactor
        self._factory = Factory()
        self._factory.noisy = False
        self._factory.protocol = lambda: AdminProtocol(report, reactor)
        policy = AdmissionPolicy(
            AdmissionSettings(max_connections=MOST_CONNECTIONS), reactor.seconds
        )
        self.connections = Connections("admin", Events(), reactor.seconds, policy)
        limits = LimitSettings(idle_timeout=_IDLE_SECONDS)
        self._idle = IdleTimeouts(reactor, self.connections, limits)
        self._bound: list[BoundSocket] = []
        self._port: Any = None

    def privilegedStartService(self) -> None:
        """Bind the socket.

        :raises StartError: when it cannot be had.
        """
        wanted = ListenSettings(unix=(self._path,), unix_mode=MODE, backlog=MOST_CONNECTIONS)
        try:
            self._bound = bind_all(wanted, tcp=False, udp=False)
        except StartError as error:
            raise StartError(str(error).replace("--unix", "--admin")) from None

    def startService(self) -> None:
        """Begin to answer."""
        super().startService()
        (bound,) = self._bound
        gate = AdmissionFactory(self._factory, self.connections, "admin", by_proxy=False)
        port = adopt_stream(self._reactor, bound.socket, gate)
        observe_port(port, PortOptions(self.connections, "admin", SEND_QUEUE), burst=False)
        bound.socket.close()
        self._port = port
        self._idle.start()
        _log.info("admin socket {path}", path=path_text(self._path))

    def stopService(self) -> Any:
        """Stop answering, drop who is still there, and remove the file."""
        super().stopService()
        self._idle.stop()
        for transport in list(self.connections.open):
            transport.close(STOPPED)
        port, self._port = self._port, None
        self.close()
        return port.stopListening() if port is not None else None

    def close(self) -> None:
        """Let go of the socket, and of its file if it is still ours."""
        bound, self._bound = self._bound, []
        for each in bound:
            each.close()
