"""One service on the air: its sockets, its connections, and how it stops.

Binds everything first, so that a start either happens whole or not at all; then hands the
sockets to the reactor.  Knows nothing of the process around it, nor of signals.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from twisted.application.service import Service
from twisted.internet import defer
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.internet.ssl import CertificateOptions
from twisted.logger import Logger
from twisted.python.failure import Failure

from socketsuite.daemon import tls
from socketsuite.daemon.configuration import Configuration
from socketsuite.daemon.datagrams import DatagramGate
from socketsuite.daemon.errors import StartError, cause_text
from socketsuite.daemon.inherited import InheritedSocket, check_served
from socketsuite.daemon.listen_settings import LOOPBACK
from socketsuite.daemon.reload import RELOADABLE, needs_restart
from socketsuite.daemon.sockets import BoundSocket, bind_all
from socketsuite.observe.addresses import address_text, host_text
from socketsuite.observe.events import Draining, Events, Listening, Notice, Stopped
from socketsuite.observe.log import EventLog
from socketsuite.policies.connections import Connections, Gate
from socketsuite.policies.idle import IdleSweep
from socketsuite.settings import SettingsError
from socketsuite.transport.adopted import adopt_stream
from socketsuite.transport.burst import AVAILABLE
from socketsuite.transport.datagrams import adopt_datagrams
from socketsuite.transport.watched import TLS, Watch, watch_port

_FAMILIES = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6", socket.AF_UNIX: "Unix"}
DRAIN_LATE = "drain timeout"


class ServiceDaemon(Service):
    """Serves one configured factory.

    ``privilegedStartService`` binds (ports below 1024 may need root), ``startService``
    builds the factory and accepts, ``drain`` ends it all in good order.  The first two
    raise :class:`StartError` with nothing left open.
    """

    _log = Logger()

    def __init__(
        self,
        configuration: Configuration,
        reactor: Any,
        inherited: Sequence[InheritedSocket] = (),
    ) -> None:
        self._inherited = inherited
        self.setName(configuration.name)
        self.configuration = configuration
        self.reactor = reactor
        self.events = Events()
        log = configuration.log.log_data
        self.events.subscribe(
            EventLog(configuration.name, reactor.seconds, payload=log == "payload")
        )
        self.connections = Connections(configuration.name, self.events, reactor.seconds)
        self.factory: Any = None
        self._bound: list[BoundSocket] = []
        self._ports: list[IListeningPort] = []
        self._idle: IdleSweep | None = None
        self._context: CertificateOptions | None = None
        self._draining: defer.Deferred[None] | None = None
        self._late: Any = None
        self._aborted = 0

    def check(self) -> None:
        """Look at what the settings name, without opening a socket.

        :raises StartError: for what would make a start fail.
        """
        tls.load_context(self.configuration.tls)
        try:
            self.configuration.build(self.reactor)
        except (OSError, SettingsError) as error:
            raise StartError(_factory_error(error)) from None

    def prepare(self, new: Configuration) -> Callable[[], None]:
        """Look at what *new* settings name, and return what takes them over.

        :raises StartError: when they are wrong; nothing has changed then.
        """
        context = tls.load_context(new.tls)
        late = needs_restart(self.configuration, new)
        if (context is None) != (self._context is None):
            late.append("tls-cert")
            context = self._context

        def apply() -> None:
            if late:
                text = f"needs a restart to take effect: {', '.join(late)}"
                self.events.emit(Notice(self.configuration.name, text, "warn"))
            self._context = context
            vars(self.configuration.limits).update(
                {k: v for k, v in vars(new.limits).items() if k in RELOADABLE}
            )
            self.configuration.tls = new.tls
            self._restart_idle_sweep()

        return apply

    # ── starting ────────────────────────────────────────────────────────────────────

    def privilegedStartService(self) -> None:
        """Read the certificates and bind every socket.

        :raises StartError: when one of them cannot be had.
        """
        configuration = self.configuration
        self._context = tls.load_context(configuration.tls)
        listen = configuration.listen
        if self._inherited and configuration.port_by_default:
            listen = replace(listen, port=())
        tcp = configuration.transports.tcp
        udp = configuration.datagrams and configuration.transports.udp
        check_served(self._inherited, tcp=tcp, udp=udp, tls=self._context is not None)
        self._bound = bind_all(listen, tcp=tcp, udp=udp, inherited=self._inherited)

    def startService(self) -> None:
        """Build the factory, and begin to accept.

        :raises StartError: when the service itself or an endpoint cannot start.
        """
        try:
            self.factory = self.configuration.build(self.reactor)
            self.factory.noisy = False  # Twisted's own lines; the events say it better
            self.factory.doStart()
        except (OSError, SettingsError) as error:
            self.close()
            raise StartError(_factory_error(error)) from None
        try:
            for bound in self._bound:
                self._adopt(bound)
            for description in self.configuration.listen.listen:
                self._listen(description)
        except StartError:
            self.close()
            raise
        self._start_idle_sweep()
        super().startService()
        self._hint()

    def _gate(self, factory: Any) -> Gate:
        return Gate(factory, self.connections, self.configuration.limits)

    @property
    def _burst(self) -> bool:
        return self.configuration.listen.transport == "burst" and AVAILABLE

    def _new_context(self) -> Any:
        assert self._context is not None
        return self._context.getContext()

    def _watch(self, port: Any, kind: str, secure: TLS | None = None) -> None:
        told = self.configuration.log.log_data != "off"
        queue = self.configuration.limits.send_queue
        watch = Watch(self.connections, kind, queue, told)
        watch_port(port, watch, burst=self._burst, tls=secure)

    def _adopt(self, bound: BoundSocket) -> None:
        """Hand a bound socket to the reactor, which takes a duplicate of its descriptor."""
        family = bound.socket.family
        if bound.datagrams:
            gate = DatagramGate(
                self.factory.buildDatagramProtocol(),
                self.events,
                self.configuration.name,
                tell_data=self.configuration.log.log_data != "off",
            )
            port = adopt_datagrams(self.reactor, bound.socket, gate)
            kind = "udp"
        else:
            kind = "unix" if family == socket.AF_UNIX else "tcp"
            inner, secure = self.factory, None
            if self._context is not None and kind == "tcp":
                kind = "tls"
                if self._burst:
                    secure = TLS(self._new_context, self.configuration.limits.handshake_timeout)
                else:
                    seconds = self.configuration.limits.handshake_timeout
                    inner = tls.wrap(inner, self._context, self.reactor, seconds)
            port = adopt_stream(self.reactor, bound.socket, self._gate(inner))
            self._watch(port, kind, secure)
        bound.socket.close()
        self._ports.append(port)
        self._tell_listening(port, kind, family, bound)

    def _listen(self, description: str) -> None:
        """Listen on a Twisted endpoint; its own plugin decides what that means."""
        try:
            endpoint = serverFromString(self.reactor, description)
            listening = endpoint.listen(self._gate(self.factory))
        except Exception as error:  # noqa: BLE001 - any parser's complaint about a user's text
            words = " ".join(str(error).split()) or type(error).__name__
            raise StartError(f"--listen {description!r} is no server endpoint: {words}") from None
        outcome: list[Any] = []
        listening.addBoth(outcome.append)
        if outcome and isinstance(outcome[0], Failure):
            raise StartError(f"cannot listen on {description!r}: {_failure_text(outcome[0])}")
        if not outcome:
            raise StartError(f"--listen {description!r} does not open at once, which is not served")
        port = outcome[0]
        self._watch(port, "tcp")
        self._ports.append(port)
        self._tell_listening(port, "endpoint", getattr(port, "addressFamily", None), None)

    def _tell_listening(self, port: Any, kind: str, family: Any, bound: BoundSocket | None) -> None:
        host = port.getHost()
        address = address_text(host) if family == socket.AF_UNIX else getattr(host, "host", None)
        self.events.emit(
            Listening(
                self.configuration.name,
                kind,
                host_text(address) if address else address_text(host),
                getattr(host, "port", None),
                _FAMILIES.get(family, "other"),
            )
        )

    def _hint(self) -> None:
        listen = self.configuration.listen
        if listen.port and listen.interface == LOOPBACK and not self._inherited:
            self.events.emit(
                Notice(
                    self.configuration.name,
                    "only this machine can connect; --interface :: opens it to the network",
                )
            )
        if listen.transport == "burst" and not AVAILABLE:
            text = "no epoll on this machine: using Twisted's own transport"
            self.events.emit(Notice(self.configuration.name, text))

    def _restart_idle_sweep(self) -> None:
        if self._idle is not None:
            self._idle.stop()
            self._idle = None
        self._start_idle_sweep()

    def _start_idle_sweep(self) -> None:
        timeout = self.configuration.limits.idle_timeout
        if timeout > 0:
            self._idle = IdleSweep(self.reactor, self.connections, timeout)
            self._idle.start()

    # ── stopping ────────────────────────────────────────────────────────────────────

    def drain(self) -> defer.Deferred[None]:
        """Stop accepting, let the connections finish, then close what is left.

        :return: fires when nothing is open any more; the same one for every caller.
        """
        if self._draining is not None:
            return self._draining
        self._draining = defer.Deferred()
        self._stop_listening().addCallback(self._let_finish)
        return self._draining

    def _let_finish(self, _: Any) -> None:
        timeout = self.configuration.limits.drain_timeout
        self.events.emit(Draining(self.configuration.name, len(self.connections), timeout))
        if self.connections.open:
            self._late = self.reactor.callLater(timeout, self._abort_all, DRAIN_LATE)
            for transport in list(self.connections.open):
                self._ask_to_finish(transport)
        self.connections.when_empty(self._finished)

    def _ask_to_finish(self, transport: Any) -> None:
        """Call ``drain()`` on the service's protocol, if it offers one."""
        protocol = transport.protocol
        while hasattr(protocol, "wrappedProtocol"):
            protocol = protocol.wrappedProtocol
        finish = getattr(protocol, "drain", None)
        if finish is None:
            return
        transport.why = transport.why or "drained"
        try:
            finish()
        except Exception:  # noqa: BLE001 - a stranger's code: it costs this connection alone
            self._log.failure("{service}: drain() raised", service=self.configuration.name)
            transport.abortConnection()

    def hurry(self) -> None:
        """Wait no longer for a drain under way."""
        self._abort_all("stopped")

    def _abort_all(self, why: str) -> None:
        for transport in list(self.connections.open):
            transport.why = why
            transport.abortConnection()
            self._aborted += 1

    def _finished(self) -> None:
        if self._late is not None and self._late.active():
            self._late.cancel()
        self._stop_factory()
        self.events.emit(Stopped(self.configuration.name, self._aborted))
        if self._draining is not None:
            self._draining.callback(None)

    def stopService(self) -> None:
        """Close everything at once; a drain that has happened leaves nothing to close."""
        super().stopService()
        self._abort_all("stopped")
        self.close()

    def close(self) -> None:
        """Let go of every socket, listening or not, and of the factory."""
        self._stop_listening()
        self._stop_factory()

    def _stop_listening(self) -> defer.Deferred[Any]:
        """Close every listening socket; the result fires when they are closed."""
        if self._idle is not None:
            self._idle.stop()
            self._idle = None
        ports, self._ports = self._ports, []
        closing = [defer.maybeDeferred(port.stopListening) for port in ports]
        for one in closing:
            one.addErrback(lambda failure: self._log.failure("cannot stop listening", failure))
        bound, self._bound = self._bound, []
        for each in bound:
            each.close()
        return defer.DeferredList(closing)

    def _stop_factory(self) -> None:
        factory, self.factory = self.factory, None
        if factory is not None:
            factory.doStop()


def _factory_error(error: OSError | SettingsError) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        name = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        return name + cause_text(error)
    return " ".join(str(error).split())


def _failure_text(failure: Failure) -> str:
    value = failure.value
    inner = getattr(value, "socketError", value)
    return cause_text(inner) if isinstance(inner, OSError) else " ".join(str(value).split())
