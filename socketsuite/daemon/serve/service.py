"""One service on the air: its sockets, its connections, and how it stops.

Binds everything first, so that a start either happens whole or not at all; then hands the
sockets to the reactor.  Knows nothing of the process around it, nor of signals.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

from twisted.application.service import Service
from twisted.internet import defer
from twisted.python.failure import Failure

from socketsuite.daemon.config.configuration import Configuration
from socketsuite.daemon.errors import StartError, cause_text
from socketsuite.daemon.listen.binding import bind
from socketsuite.daemon.listen.inherited import InheritedSocket
from socketsuite.daemon.listen.sockets import BoundSocket
from socketsuite.daemon.serve.check import check_service
from socketsuite.daemon.serve.drain import Drain
from socketsuite.daemon.serve.factories import Factories
from socketsuite.daemon.serve.further import DaemonHandle
from socketsuite.daemon.serve.listeners import Listeners
from socketsuite.daemon.serve.notices import start_notices
from socketsuite.daemon.serve.protocols import is_busy, is_unfinished
from socketsuite.daemon.serve.reload import needs_restart, take_over_limits, take_over_own
from socketsuite.daemon.serve.tls_contexts import TLSContexts
from socketsuite.observe.events import Events, Notice
from socketsuite.observe.log import EventLog
from socketsuite.observe.own_events import OwnEvents
from socketsuite.policies.admission import AdmissionPolicy
from socketsuite.policies.connections import Connections
from socketsuite.policies.idle_timeouts import IdleTimeouts
from socketsuite.policies.peers import DatagramPolicy
from socketsuite.policies.slow_consumers import SlowConsumers, TotalQueue
from socketsuite.reasons import STOPPED
from socketsuite.settings import SettingsError


class ServiceDaemon(Service):
    """Serves one configured service, on all of its frontends.

    ``privilegedStartService`` binds (ports below 1024 may need root), ``startService``
    builds the factories and accepts, ``drain`` ends it all in good order.  The first two
    raise :class:`StartError` with nothing left open.

    :ivar started: fires when callers are accepted, which may be after ``startService``; fails
        with :class:`StartError`.
    """

    def __init__(
        self,
        configuration: Configuration,
        reactor: Any,
        inherited: Sequence[InheritedSocket] = (),
        total: TotalQueue | None = None,
    ) -> None:
        self._inherited = inherited
        self.setName(configuration.name)
        self.configuration = configuration
        self.reactor = reactor
        self.events = Events()
        seconds = reactor.seconds
        self.events.subscribe(EventLog.as_set(configuration.name, seconds, configuration.log))
        try:
            policy = AdmissionPolicy(configuration.admission, seconds)
        except SettingsError as error:
            raise StartError(str(error)) from None
        self.connections = Connections(configuration.name, self.events, seconds, policy)
        limits = configuration.udp_limits
        any_port = limits.udp_source_ports == "any"
        # Asked for each datagram, so by the quickest clock there is.
        self.datagrams = DatagramPolicy(limits.udp_rate, monotonic, any_port=any_port)
        self.connections.limits = configuration.limits
        self.connections.is_busy = is_busy
        self.connections.is_unfinished = is_unfinished
        total = total or TotalQueue(configuration.process.total_send_queue)
        self.connections.slow = SlowConsumers(reactor, configuration.limits, total)
        self.idle = IdleTimeouts(reactor, self.connections, configuration.limits)
        self.tls = TLSContexts()
        self.listeners = Listeners(
            configuration, reactor, self.events, self.connections, self.datagrams, self.tls
        )
        self._handle = DaemonHandle(
            configuration, self.listeners, self.tls, lambda: self._drain.begun
        )
        emit = OwnEvents(configuration.name, self.events)
        offered = {"reactor": reactor, "daemon": self._handle, "emit": emit}
        self.factories = Factories(configuration, reactor, offered)
        self.started: defer.Deferred[None] = defer.succeed(None)
        self._bound: list[BoundSocket] = []
        self._refusal: StartError | None = None
        self._drain = Drain(
            configuration, reactor, self.events, self.connections, self.factories, self._at_end
        )

    @property
    def factory(self) -> Any:
        """The service's object, while it runs."""
        return self.factories.service

    @property
    def datagram_ports(self) -> list[Any]:
        """The UDP ports, with what they count."""
        return self.listeners.datagram_ports

    @property
    def limits(self) -> dict[str, Any]:
        """The settings of admission and limits in force, by their names."""
        now = self.configuration
        return {**vars(now.admission), **vars(now.limits), **vars(now.udp_limits)}

    @property
    def certificate_expiry(self) -> float | None:
        """When the certificate expires that is served, in seconds since 1970; ``None`` for none."""
        return self.tls.expiry

    def check(self) -> None:
        """Look at what the settings name, without listening, and without starting the service.

        :raises StartError: for what would make a start fail, or a certificate out of time.
        """
        self.factories.build_service()
        check_service(self.configuration, self.configuration.bind_requests)
        self.listeners.check()
        self.factories.build([one for one in self.configuration.frontends if one.listens])
        self.factories.check()

    def prepare(self, new: Configuration) -> Callable[[], None]:
        """Look at what *new* settings name, and return what takes them over.

        :raises StartError: when they are wrong; nothing has changed then.
        """
        contexts, late, untimely = self.tls.prepare(new)
        try:
            policy = AdmissionPolicy(new.admission, self.reactor.seconds)
        except SettingsError as error:
            raise StartError(str(error)) from None
        late = needs_restart(self.configuration, new) + late
        if policy.proxies.kinds != self.connections.policy.proxies.kinds:
            late.append("proxy-from")
            policy.proxies = self.connections.policy.proxies

        def apply() -> None:
            if late:
                text = f"needs a restart to take effect: {', '.join(late)}"
                self.events.emit(Notice(self.configuration.name, text, "warn"))
            if untimely is not None:
                self.events.emit(Notice(self.configuration.name, untimely, "warn"))
            self.tls.use(contexts, self.factories.by_frontend)
            policy.inherit_from(self.connections.policy, new.admission, self.connections.hosts)
            self.connections.enforce(policy)
            take_over_limits(self.configuration, new)
            any_port = new.udp_limits.udp_source_ports == "any"
            self.datagrams.limit(new.udp_limits.udp_rate, any_port=any_port)
            self.idle.restart()
            take_over_own(self.configuration, new, self.factories)

        return apply

    # ── starting ────────────────────────────────────────────────────────────────────

    def privilegedStartService(self) -> None:
        """Read the certificates and bind every socket.

        :raises StartError: when one of them cannot be had.
        """
        with self._named():
            self._bind()

    def _bind(self) -> None:
        configuration = self.configuration
        self.tls.use(self.tls.read(configuration), {})
        if configuration.datagrams is None:  # only the factory can tell
            self.factories.build_service()
        requests, tls = configuration.bind_requests, self.tls.certificate is not None
        self._bound = bind(requests, self._inherited, configuration.udp, tls=tls)

    def startService(self) -> None:
        """Build the factories, and begin to accept as soon as the service has started.

        :raises StartError: when the service itself or an endpoint cannot start at once.
        """
        try:
            with self._named():
                self._start_factories()
        except StartError:
            self.close()
            raise
        super().startService()
        started = self.factories.start_service().addCallback(self._serve)
        self.started = started.addErrback(self._refuse_start)
        if self._refusal is not None:
            self.started.addErrback(lambda _: None)
            raise self._refusal

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say whose an error is, where several services start together."""
        try:
            yield
        except StartError as error:
            if self.configuration.single_service:
                raise
            raise StartError(f"{self.configuration.name}: {error}") from None

    def _refuse_start(self, failure: Failure) -> None:
        if self._drain.begun:
            return
        self.close()
        try:
            with self._named():
                failure.raiseException()
        except StartError as error:
            self._refusal = error
            raise

    def _start_factories(self) -> None:
        self.factories.build_service()
        bound = {one.frontend for one in self._bound}
        used = [
            one for one in self.configuration.frontends if one.name in bound or one.listen.listen
        ]
        self.factories.build(used)
        self.tls.use(self.tls.contexts, self.factories.by_frontend)
        self.factories.start()

    def _serve(self, _: None) -> None:
        if self._drain.begun:
            return
        self._listen()
        self.idle.start()
        certificate, inherited = self.tls.certificate, bool(self._inherited)
        for notice in start_notices(self.configuration, certificate, inherited=inherited):
            self.events.emit(notice)

    def _listen(self) -> None:
        said = any(one.tls for one in self._bound)
        self.tls.everywhere = self.tls.certificate is not None and not said
        factories = self.factories.by_frontend
        try:
            for bound in self._bound:
                self.listeners.adopt(bound, factories[bound.frontend])
        except OSError as error:  # Twisted keeps /dev/null open, which a chroot may lack
            name = f"{os.fsdecode(error.filename)}: " if error.filename else ""
            raise StartError(name + cause_text(error)) from None
        for one in self.configuration.frontends:
            for description in one.listen.listen:
                self.listeners.listen(description, factories[one.name], one)

    # ── stopping ────────────────────────────────────────────────────────────────────

    def drain(self) -> defer.Deferred[None]:
        """Stop accepting, let the connections finish, then close what is left.

        :return: fires when nothing is open any more; the same one for every caller.
        """
        return self._drain.begin(self._accept_no_more)

    def _accept_no_more(self) -> defer.Deferred[Any]:
        if not self.started.called:
            self.factories.force_stop()
        self.listeners.accept_callers()
        return self._stop_listening()

    def force_stop(self) -> None:
        """Wait no longer for a drain under way."""
        self._drain.force()

    def _at_end(self) -> None:
        self.idle.stop()
        self._handle.close()
        if self.connections.slow is not None:
            self.connections.slow.stop()

    def stopService(self) -> Any:
        """Close everything at once; a drain that has happened leaves nothing to close."""
        super().stopService()
        self._drain.abort_all(STOPPED)
        return self.close()

    def close(self) -> defer.Deferred[None]:
        """Let go of every socket, listening or not, and of the factories."""
        self.idle.stop()
        self._handle.close()
        self._stop_listening()
        return self.factories.stop()

    def _stop_listening(self) -> defer.Deferred[Any]:
        """Close every listening socket; the result fires when they are closed."""
        bound, self._bound = self._bound, []
        for each in bound:
            each.close()
        return self.listeners.close()
