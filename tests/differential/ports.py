"""Ports of each kind, on the burst transport and on Twisted's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trustme
from OpenSSL import SSL
from twisted.internet import tcp, unix
from twisted.internet.interfaces import IHandshakeListener, IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from socketsuite.transport.burst import accelerate
from socketsuite.transport.observed import observe_port
from socketsuite.transport.options import PortOptions, TLSOptions
from socketsuite.transport.tls import BurstTLSServer

if TYPE_CHECKING:
    from tests.differential.stage import Stage

_NEVER = 1 << 40  # bytes that may wait: a bound that no scenario comes near

_authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
_issued = _authority.issue_cert("localhost", key_type=trustme.KeyType.ECDSA)


def _server_context() -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    _issued.configure_cert(context)
    return context


def _client_context(*, old: bool) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    if old:
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
    return context


_SERVER_CONTEXT = _server_context()
CLIENT_CONTEXTS = {old: _client_context(old=old) for old in (False, True)}


def open_port(stage: Stage, factory: Factory, path: str) -> tuple[Any, Any]:
    """Open a port of the scenario's kind; return it, and where a caller finds it."""
    kind = stage.scenario.kind
    if kind == "tls" and not stage.burst:
        factory = _behind_a_handshake(stage, factory)
    if stage.scenario.local:
        port = stage.reactor.listenUNIX(path, factory)
        address: Any = path
    else:
        port = stage.reactor.listenTCP(0, factory, 50, "127.0.0.1")
        address = ("127.0.0.1", port.getHost().port)
    if kind.startswith("observed"):
        observe_port(
            port, PortOptions(_Observer(), send_queue=_NEVER, pure=stage.pure), burst=stage.burst
        )
    elif stage.burst:
        options = PortOptions(tls=TLSOptions(lambda: _SERVER_CONTEXT), pure=stage.pure)
        accelerate(port, options, _TLS if kind == "tls" else None)
    else:
        port.transport = {"unix": unix.Server}.get(kind, tcp.Server)
    _tell_of_transports(stage, port)
    return port, address


def _tell_of_transports(stage: Stage, port: Any) -> None:
    """Let the stage know of each transport at once, before its handshake."""

    class OwnEvent(port.transport):
        def __init__(self, skt: Any, protocol: Any, *arguments: Any) -> None:
            super().__init__(skt, protocol, *arguments)
            stage.raws[stage.order[len(stage.raws)]] = self

    port.transport = OwnEvent


class _Observer:
    """Looks on."""

    def busy(self, transport: Any) -> bool:
        return False

    def half_close_seconds(self) -> float:
        return 5.0

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: None


class _TLS(BurstTLSServer):
    """With a handshake whose end the kernel may not take at once."""

    def begin(self) -> None:
        plan = self.protocol.plan
        super().begin()
        if plan.late:
            tls, later = self._tls, [True]

            def do_handshake() -> None:
                type(tls).do_handshake(tls)
                if later:
                    later.clear()
                    raise SSL.WantWriteError

            tls.do_handshake = do_handshake  # type: ignore[method-assign]


# ── TLS on Twisted's own transport ──────────────────────────────────────────────────────


@implementer(IOpenSSLServerConnectionCreator)
class _Creator:
    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        return SSL.Connection(_SERVER_CONTEXT, None)


def _behind_a_handshake(stage: Stage, factory: Any) -> Any:
    """Return a factory whose protocols are connected when the handshake is complete."""

    class Gates(Factory):
        noisy = False

        def buildProtocol(self, address: Any) -> Any:
            return _Gate(factory.buildProtocol(address))

    wrapped = TLSMemoryBIOFactory(_Creator(), False, Gates(), stage.reactor)
    wrapped.noisy = False
    return wrapped


@implementer(IHandshakeListener)
class _Gate(Protocol):
    """Stands where the protocol will be."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def handshakeCompleted(self) -> None:
        transport: Any = self.transport
        transport.wrappedProtocol = self.inner
        self.inner.makeConnection(transport)
