"""Which class the connections of a port have, that somebody observes.

``port.transport`` is Twisted's documented place to choose the class of a port's accepted
connections; :func:`observe_port` puts one there, and the port's options beside it.  This module
must not know who observes, nor what the classes do.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp, unix

from socketsuite.transport import compiled
from socketsuite.transport.burst import accelerate
from socketsuite.transport.observed_burst import (
    CompiledProxiedTCP,
    CompiledProxiedUNIX,
    CompiledTCP,
    CompiledUNIX,
    ObservedTCP,
    ObservedTLS,
    ObservedUNIX,
    ProxiedTCP,
    ProxiedTLS,
    ProxiedUNIX,
)
from socketsuite.transport.observed_stock import (
    ProxiedStockTCP,
    ProxiedStockUNIX,
    StockTCP,
    StockUNIX,
)
from socketsuite.transport.options import PortOptions
from socketsuite.transport.turns import Turns


def observe_port(port: Any, options: PortOptions, *, burst: bool) -> Any:
    """Give the connections that *port* will accept to the observer of *options*.

    Where the options say that a PROXY header comes first, the port's factory is a
    :class:`~socketsuite.transport.proxied.ProxyHeaderFactory`.

    :param port: what ``listenTCP``, ``listenUNIX``, ``adoptStreamPort`` or an endpoint
        returned; a port of another kind is returned untouched.
    :param burst: whether they go on the burst transport.
    :return: the port.
    """
    if not isinstance(port, tcp.Port):
        return port
    options.turns = Turns(port.reactor)
    local = isinstance(port, unix.Port)
    if burst:
        return accelerate(port, options, _burst_class(local, options))
    made: Any = port
    made.options = options
    made.transport = _stock_class(local, options)
    return port


def io_name(kind: str, *, burst: bool, pure: bool) -> str:
    """Return what reads and writes on a port of *kind*, of which UDP is never Twisted's."""
    if not burst and kind != "udp":
        return "twisted"
    if pure or not burst or not compiled.AVAILABLE or kind == "tls":
        return "python"
    if kind == "udp":
        return "compiled"
    return "compiled+io_uring" if compiled.io_uring() else "compiled"


def _burst_class(local: bool, options: PortOptions) -> type:
    plain = options.proxy is None
    if options.tls is not None and not local:
        return ObservedTLS if plain else ProxiedTLS
    if compiled.AVAILABLE and not options.pure:
        if local:
            return CompiledUNIX if plain else CompiledProxiedUNIX
        return CompiledTCP if plain else CompiledProxiedTCP
    if local:
        return ObservedUNIX if plain else ProxiedUNIX
    return ObservedTCP if plain else ProxiedTCP


def _stock_class(local: bool, options: PortOptions) -> type:
    if local:
        return StockUNIX if options.proxy is None else ProxiedStockUNIX
    return StockTCP if options.proxy is None else ProxiedStockTCP
