"""One service on the air: its sockets, its connections, and how it stops.

Binds everything first, so that a start either happens whole or not at all; then hands the
sockets to the reactor.  Knows nothing of the process around it, nor of signals.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic
from typing import Any

from twisted.application.service import Service
from twisted.internet import defer
from twisted.logger import Logger

from socketsuite.daemon.config.configuration import Configuration
from socketsuite.daemon.errors import StartError, cause_text
from socketsuite.daemon.listen import certificates
from socketsuite.daemon.listen.datagram_options import set_datagram_options
from socketsuite.daemon.listen.inherited import InheritedSocket, check_served
from socketsuite.daemon.listen.settings import LOOPBACK
from socketsuite.daemon.listen.sockets import BoundSocket, bind_all
from socketsuite.daemon.serve.check import check_service
from socketsuite.daemon.serve.factory import (
    build_factory,
    check_factory,
    is_datagram_factory,
    told_in_one_line,
)
from socketsuite.daemon.serve.listeners import Listeners
from socketsuite.daemon.serve.protocols import drain_of, is_busy
from socketsuite.daemon.serve.reload import (
    needs_restart,
    own_changes,
    reloadable,
    take_over,
    tell_factory,
)
from socketsuite.observe.events import Draining, Events, Notice, Stopped
from socketsuite.observe.log import EventLog
from socketsuite.policies.admission import AdmissionPolicy
from socketsuite.policies.connections import Connections
from socketsuite.policies.idle_timeouts import IdleTimeouts
from socketsuite.policies.peers import DatagramPolicy
from socketsuite.policies.slow_consumers import SlowConsumers, TotalQueue
from socketsuite.reasons import DRAIN_TIMEOUT, DRAINED, STOPPED, Reason
from socketsuite.settings import SettingsError
from socketsuite.transport.burst import AVAILABLE


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
        total: TotalQueue | None = None,
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
        seconds = reactor.seconds
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
        total = total or TotalQueue(configuration.process.total_send_queue)
        self.connections.slow = SlowConsumers(reactor, configuration.limits, total)
        self.sweeps = IdleTimeouts(reactor, self.connections, configuration.limits)
        self.listeners = Listeners(
            configuration, reactor, self.events, self.connections, self.datagrams
        )
        self.factory: Any = None
        self._built: Any = None
        self._bound: list[BoundSocket] = []
        self._draining: defer.Deferred[None] | None = None
        self._late: Any = None
        self._aborted = 0

    @property
    def datagram_ports(self) -> list[Any]:
        """The UDP ports, with what they count."""
        return self.listeners.datagram_ports

    @property
    def limits(self) -> dict[str, Any]:
        """The settings of admission and limits in force, by their names."""
        groups = ("admission", "limits", "udp_limits")
        return {
            k: v for group in groups for k, v in vars(getattr(self.configuration, group)).items()
        }

    @property
    def certificate_expiry(self) -> float | None:
        """When the certificate expires that is served, in seconds since 1970; ``None`` for none."""
        return certificates.expiry(self.listeners.context)

    def check(self) -> None:
        """Look at what the settings name, without listening, and without starting the service.

        :raises StartError: for what would make a start fail, or a certificate out of time.
        """
        check_service(self.configuration)
        self.listeners.check()
        check_factory(self._build())

    def _build(self) -> Any:
        _, udp = self.configuration.kinds
        build = self.configuration.build
        return build_factory(self.configuration.plugin, build, self.reactor, udp=udp)

    def prepare(self, new: Configuration) -> Callable[[], None]:
        """Look at what *new* settings name, and return what takes them over.

        :raises StartError: when they are wrong; nothing has changed then.
        """
        context = certificates.load_context(new.tls, new.origins)
        untimely = certificates.out_of_time(context, new.tls)
        if untimely is not None and not certificates.same(context, self.listeners.context):
            raise StartError(untimely)
        try:
            policy = AdmissionPolicy(new.admission, self.reactor.seconds)
        except SettingsError as error:
            raise StartError(str(error)) from None
        late = needs_restart(self.configuration, new)
        if (context is None) != (self.listeners.context is None):
            late.append("tls-cert")
            context = self.listeners.context
        if bool(policy.proxies) != bool(self.connections.policy.proxies):
            late.append("proxy-from")
            policy.proxies = self.connections.policy.proxies

        def apply() -> None:
            if late:
                text = f"needs a restart to take effect: {', '.join(late)}"
                self.events.emit(Notice(self.configuration.name, text, "warn"))
            if untimely is not None:
                self.events.emit(Notice(self.configuration.name, untimely, "warn"))
            certificates.offer_protocols(context, self.factory)
            self.listeners.context = context
            hosts = [one.host for one in self.connections.open.values() if one.admitted]
            policy.succeed(self.connections.policy, new.admission, hosts)
            self.connections.enforce(policy)
            take_over(self.configuration.limits, new.limits)
            self.configuration.admission = new.admission
            self.configuration.tls = new.tls
            self.configuration.udp_limits = new.udp_limits
            any_port = new.udp_limits.udp_source_ports == "any"
            self.datagrams.limit(new.udp_limits.udp_rate, any_port=any_port)
            self.sweeps.restart()
            self._reload_own(new)

        return apply

    def _reload_own(self, new: Configuration) -> None:
        """Give the factory those of its settings that changed and can."""
        names = reloadable(self.configuration.plugin.load())
        changes = own_changes(self.configuration, new)
        changed = {name: value for name, value in changes.items() if name in names}
        self.configuration.own.update(changed)
        try:
            tell_factory(self.factory, changed)
        except Exception:  # noqa: BLE001 - a stranger's code: it costs its own settings alone
            self._log.failure("{service}: settings_reloaded() raised", service=self.name)

    # ── starting ────────────────────────────────────────────────────────────────────

    def privilegedStartService(self) -> None:
        """Read the certificates and bind every socket.

        :raises StartError: when one of them cannot be had.
        """
        with self._named():
            self._bind()

    def _bind(self) -> None:
        configuration = self.configuration
        self.listeners.context = certificates.load_context(configuration.tls, configuration.origins)
        listen = configuration.listen
        if self._inherited and configuration.port_by_default:
            listen = replace(listen, port=())
        if configuration.datagrams is None:
            # Only the factory can tell whether there is UDP to be bound.
            self._built = self._build()
            configuration.datagrams = is_datagram_factory(self._built)
        tcp, udp = configuration.kinds
        check_served(self._inherited, tcp=tcp, udp=udp, tls=self.listeners.context is not None)
        self._bound = bind_all(listen, tcp=tcp, udp=udp, inherited=self._inherited)
        datagrams = [one.socket for one in self._bound if one.datagrams]
        set_datagram_options(datagrams, configuration.udp)

    def startService(self) -> None:
        """Build the factory, and begin to accept.

        :raises StartError: when the service itself or an endpoint cannot start.
        """
        try:
            with self._named():
                self._start_factory()
                self._listen()
        except StartError:
            self.close()
            raise
        self.sweeps.start()
        super().startService()
        self._hint()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say whose an error is, where several services start together."""
        try:
            yield
        except StartError as error:
            if self.configuration.alone:
                raise
            raise StartError(f"{self.configuration.name}: {error}") from None

    def _start_factory(self) -> None:
        factory, self._built = self._built or self._build(), None
        with told_in_one_line(f"startFactory() of {self.configuration.plugin.target}"):
            factory.doStart()
        self.factory = factory

    def _listen(self) -> None:
        certificates.offer_protocols(self.listeners.context, self.factory)
        try:
            for bound in self._bound:
                self.listeners.adopt(bound, self.factory)
        except OSError as error:  # Twisted keeps /dev/null open, which a chroot may lack
            name = f"{os.fsdecode(error.filename)}: " if error.filename else ""
            raise StartError(name + cause_text(error)) from None
        for description in self.configuration.listen.listen:
            self.listeners.listen(description, self.factory)

    def _hint(self) -> None:
        for text in self.configuration.notices:
            self.events.emit(Notice(self.configuration.name, text, "warn"))
        untimely = certificates.out_of_time(self.listeners.context, self.configuration.tls)
        if untimely is not None:
            self.events.emit(Notice(self.configuration.name, untimely, "warn"))
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

    # ── stopping ────────────────────────────────────────────────────────────────────

    def drain(self) -> defer.Deferred[None]:
        """Stop accepting, let the connections finish, then close what is left.

        :return: fires when nothing is open any more; the same one for every caller.
        """
        if self._draining is not None:
            return self._draining
        self._draining = defer.Deferred()
        self.listeners.accept_callers()
        self._stop_listening().addCallback(self._let_finish)
        return self._draining

    def _let_finish(self, _: Any) -> None:
        timeout = self.configuration.limits.drain_timeout
        self.events.emit(Draining(self.configuration.name, len(self.connections), timeout))
        if self.connections.open:
            self._late = self.reactor.callLater(timeout, self._abort_all, DRAIN_TIMEOUT)
            for transport in list(self.connections.open):
                self._ask_to_finish(transport)
        self.connections.when_empty(self._finished)

    def _ask_to_finish(self, transport: Any) -> None:
        """Call ``drain()`` on the service's protocol, if it offers one."""
        finish = drain_of(transport.protocol)
        if finish is None:
            return
        transport.why = transport.why or DRAINED
        try:
            finish()
        except Exception:  # noqa: BLE001 - a stranger's code: it costs this connection alone
            self._log.failure("{service}: drain() raised", service=self.configuration.name)
            transport.abortConnection()

    def force_stop(self) -> None:
        """Wait no longer for a drain under way."""
        self._abort_all(STOPPED)

    def _abort_all(self, why: Reason) -> None:
        for transport in list(self.connections.open):
            transport.abort(why)
            self._aborted += 1

    def _finished(self) -> None:
        if self._late is not None and self._late.active():
            self._late.cancel()
        self.sweeps.stop()
        if self.connections.slow is not None:
            self.connections.slow.stop()
        self._stop_factory()
        self.events.emit(Stopped(self.configuration.name, self._aborted))
        if self._draining is not None:
            self._draining.callback(None)

    def stopService(self) -> None:
        """Close everything at once; a drain that has happened leaves nothing to close."""
        super().stopService()
        self._abort_all(STOPPED)
        self.close()

    def close(self) -> None:
        """Let go of every socket, listening or not, and of the factory."""
        self.sweeps.stop()
        self._stop_listening()
        self._stop_factory()

    def _stop_listening(self) -> defer.Deferred[Any]:
        """Close every listening socket; the result fires when they are closed."""
        bound, self._bound = self._bound, []
        for each in bound:
            each.close()
        return self.listeners.close()

    def _stop_factory(self) -> None:
        factory, self.factory = self.factory, None
        if factory is not None:
            factory.doStop()
