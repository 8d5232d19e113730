"""The open ports of one service: bound sockets and endpoints, handed to the reactor.

Puts together what stands between a socket and the service's factory (gate, TLS, proxy
header, transport); decides nothing about a connection.
"""

from __future__ import annotations

import contextlib
import select
import socket
from functools import partial
from typing import Any

from twisted.internet import defer, tcp
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from socketsuite.addresses import address_text, host_text
from socketsuite.daemon.config.configuration import Configuration
from socketsuite.daemon.config.frontends import FrontendConfiguration
from socketsuite.daemon.listen.endpoints import is_handed_over
from socketsuite.daemon.listen.sockets import BoundSocket, set_accepted_options
from socketsuite.daemon.serve.datagrams import DatagramAdmission
from socketsuite.daemon.serve.endpoint_ports import (
    begins_with_header,
    open_endpoint,
    parse_endpoint,
)
from socketsuite.daemon.serve.factory import datagram_protocol
from socketsuite.daemon.serve.tls_admission import wrap
from socketsuite.daemon.serve.tls_contexts import TLSContexts
from socketsuite.observe.events import Events, Listening
from socketsuite.policies.admission_factory import AdmissionFactory
from socketsuite.policies.connections import Connections
from socketsuite.policies.peers import DatagramPolicy
from socketsuite.transport.adopted import adopt_stream
from socketsuite.transport.burst import AVAILABLE
from socketsuite.transport.datagrams import DatagramPort, adopt_datagrams
from socketsuite.transport.observed import io_name, observe_port
from socketsuite.transport.options import PortOptions, ProxyOptions, TLSOptions
from socketsuite.transport.proxied import ProxyHeaderFactory

# Enough for what a kernel's queue holds; a flood must not keep a drain from beginning.
_TURNS_AT_THE_END = 128
_FAMILIES = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6", socket.AF_UNIX: "Unix"}


class Listeners:
    """Opens the ports of one service, and closes them together."""

    _log = Logger()

    def __init__(
        self,
        configuration: Configuration,
        reactor: Any,
        events: Events,
        connections: Connections,
        datagrams: DatagramPolicy,
        tls: TLSContexts,
    ) -> None:
        self._configuration = configuration
        self._reactor = reactor
        self._events = events
        self._connections = connections
        self._datagrams = datagrams
        self._targets = {one.name: one.target for one in configuration.frontends}
        self._burst = configuration.listen.transport != "twisted" and AVAILABLE
        self._pure = configuration.listen.transport == "burst-pure"
        self._ports: list[IListeningPort] = []
        self._protocols: list[Any] = []  # of the UDP ports, each with its own
        # Those whose callers, not accepted yet, are lost when they close.
        self._queues: list[tcp.Port] = []
        self._tls = tls

    @property
    def datagram_ports(self) -> list[DatagramPort]:
        """The UDP ports, with what they count."""
        return [port for port in self._ports if isinstance(port, DatagramPort)]

    def adopt(self, bound: BoundSocket, factory: Any) -> None:
        """Hand a bound socket to the reactor, which takes a duplicate of its descriptor."""
        if bound.datagrams:
            kind, port = "udp", self._adopt_datagrams(bound, factory)
        else:
            kind, port = self._adopt_stream(bound, factory)
        bound.socket.close()
        self._opened(port, kind, bound.socket.family, bound.frontend, lent=bound.inherited)

    def _adopt_datagrams(self, bound: BoundSocket, factory: Any) -> Any:
        target = self._targets[bound.frontend]
        protocol = datagram_protocol(factory, target, self._protocols)
        admission = DatagramAdmission(
            protocol,
            self._events,
            self._configuration.name,
            self._datagrams,
            tell_data=self._configuration.log.log_data != "off",
            frontend=bound.frontend,
        )
        plain = self._pure or not self._burst
        port = adopt_datagrams(self._reactor, bound.socket, admission, pure=plain)
        port.frontend = bound.frontend
        return port

    def open_further(self, bound: BoundSocket, factory: Any, *, tls: bool) -> Any:
        """Hand a TCP socket that the service wants while it runs to the reactor.

        :return: the port, which the caller closes; *factory* is started and stopped with it.
        """
        kind = "tls" if tls else "tcp"
        admission = _StartedWithPort(
            self._with_tls(factory, bound.frontend) if tls else factory,
            self._connections,
            kind,
            by_proxy=False,
            frontend=bound.frontend,
        )
        admission.started = factory
        port = adopt_stream(self._reactor, bound.socket, admission)
        return observe_port(port, self._port_options(kind, bound.frontend), burst=self._burst)

    def _with_tls(self, factory: Any, frontend: str) -> Any:
        """Return what speaks TLS before *factory*, where the transport does not do so itself."""
        if self._burst:
            return factory
        options = partial(self._tls.of, frontend)
        return wrap(factory, options, self._reactor, self._handshake_seconds)

    def _adopt_stream(self, bound: BoundSocket, factory: Any) -> tuple[str, Any]:
        frontend = bound.frontend
        kind = "unix" if bound.socket.family == socket.AF_UNIX else "tcp"
        if kind == "tcp" and (bound.tls or self._tls.everywhere):
            kind = "tls"
            factory = self._with_tls(factory, frontend)
        by_proxy = self._connections.policy.proxies.expected(local=kind == "unix")
        factory = AdmissionFactory(
            factory, self._connections, kind, by_proxy=by_proxy, frontend=frontend
        )
        if by_proxy:
            factory = ProxyHeaderFactory(factory)
        port = adopt_stream(self._reactor, bound.socket, factory)
        settings = self._port_options(kind, frontend, by_proxy=by_proxy, each=bound.inherited)
        observe_port(port, settings, burst=self._burst)
        return kind, port

    def _new_context(self, frontend: str) -> Any:
        return self._tls.of(frontend).getContext()

    def _handshake_seconds(self) -> float:
        return self._configuration.limits.handshake_timeout

    def _prepare(self, accepted: socket.socket) -> None:
        # The caller may be gone already, which the first read will tell.
        with contextlib.suppress(OSError):
            set_accepted_options(accepted, self._configuration.listen)

    def is_proxy(self, host: str | None) -> bool:
        """Whether *host* is one of ``--proxy-from``; ``None`` is a caller of a Unix socket."""
        proxies = self._connections.policy.proxies
        return proxies.expected(local=host is None) and proxies.trusts(host)

    def forwarded(self, transport: Any, host: str) -> str | None:
        """Have a proxy's connection be *host*'s; return why that one is not let in, or ``None``."""
        while transport is not None and transport not in self._connections.open:
            transport = getattr(transport, "transport", None)
        refusal = self._connections.forwarded(transport, host)
        return None if refusal is None else refusal.label

    def _trusts(self, host: str | None) -> bool:
        return self._connections.policy.proxies.trusts(host)

    def _port_options(
        self, kind: str, frontend: str, *, by_proxy: bool = False, each: bool = False
    ) -> PortOptions:
        """Return what the connections of one port have in common.

        :param each: whether each accepted socket is given its options by ourselves.  The kernel
            copies them when a caller's handshake is over, which for a socket that was opened
            elsewhere may be before this process has begun.
        """
        configuration, connections = self._configuration, self._connections
        admission = connections.refusal_behind_proxy, connections.admit
        frontends = configuration.frontends
        optional = any(one.name == frontend and one.frontend.http for one in frontends)
        tls = TLSOptions(partial(self._new_context, frontend), self._handshake_seconds)
        return PortOptions(
            connections,
            kind,
            configuration.limits.send_queue,
            log_data=configuration.log.log_data != "off",
            prepare=self._prepare if each else None,
            tls=tls if kind == "tls" and self._burst else None,
            proxy=ProxyOptions(self._trusts, *admission, optional=optional) if by_proxy else None,
            frontend=frontend,
            pure=self._pure,
        )

    def listen(self, description: str, factory: Any, frontend: FrontendConfiguration) -> None:
        """Listen on a Twisted endpoint; its own plugin decides what that means.

        :raises StartError: when it cannot, naming the endpoint.
        """
        name, flag = frontend.name, f"--{frontend.prefix}listen"
        admission = AdmissionFactory(
            factory, self._connections, "tcp", by_proxy=False, frontend=name
        )
        port = open_endpoint(self._reactor, description, flag, admission)
        proxies = self._connections.policy.proxies
        admission.by_proxy = begins_with_header(port, description, flag, proxies)
        if isinstance(port, tcp.Port):
            self._put_in_front(port, admission)
        options = self._port_options("tcp", name, by_proxy=admission.by_proxy, each=True)
        observe_port(port, options, burst=self._burst)
        lent = description.startswith("systemd:")
        self._opened(port, "endpoint", getattr(port, "addressFamily", None), name, lent=lent)

    def _put_in_front(self, port: Any, admission: AdmissionFactory) -> None:
        """Put first on an endpoint's *port* what is first elsewhere: the header, and admission.

        The endpoint may have put something of its own around *admission*, such as TLS.
        """
        if port.factory is not admission:
            admission.inside, by_proxy = True, admission.by_proxy
            port.factory = AdmissionFactory(
                port.factory,
                self._connections,
                "tcp",
                by_proxy=by_proxy,
                frontend=admission.frontend,
            )
        if admission.by_proxy:
            port.factory = ProxyHeaderFactory(port.factory)

    def check(self) -> None:
        """Parse every endpoint, and open none.

        :raises StartError: naming the one that cannot be.
        """
        for frontend in self._configuration.frontends:
            for description in frontend.listen.listen:
                if not is_handed_over(description):
                    parse_endpoint(self._reactor, description, f"--{frontend.prefix}listen")

    def _opened(self, port: Any, kind: str, family: Any, frontend: str, *, lent: bool) -> None:
        self._ports.append(port)
        if isinstance(port, tcp.Port) and not lent:
            self._queues.append(port)
        host = port.getHost()
        address = address_text(host) if family == socket.AF_UNIX else getattr(host, "host", None)
        event = Listening(
            self._configuration.name,
            kind,
            host_text(address) if address else address_text(host),
            getattr(host, "port", None),
            _FAMILIES.get(family, "other"),
            frontend,
            io_name(kind, burst=self._burst, pure=self._pure),
        )
        self._events.emit(event)

    def accept_callers(self) -> None:
        """Accept who has called by now: the kernel resets those left when a socket closes.

        A socket that systemd opened lives on, and its callers wait for the next daemon.
        """
        for port in self._queues:
            _accept_callers(port)

    def close(self) -> defer.Deferred[Any]:
        """Close every port; the result fires when they are closed."""
        ports, self._ports, self._queues = self._ports, [], []
        closing = [defer.maybeDeferred(port.stopListening) for port in ports]
        for one in closing:
            one.addErrback(lambda failure: self._log.failure("cannot stop listening", failure))
        return defer.DeferredList(closing)


class _StartedWithPort(AdmissionFactory):
    """Admits to a factory that is started with its port, and stopped with it."""

    started: Any

    def doStart(self) -> None:
        self.started.doStart()

    def doStop(self) -> None:
        self.started.doStop()


def _accept_callers(port: tcp.Port) -> None:
    poll = select.poll()
    poll.register(port.fileno(), select.POLLIN)
    for _ in range(_TURNS_AT_THE_END):
        if not poll.poll(0):
            return
        port.doRead()
