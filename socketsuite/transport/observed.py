"""Which class the connections of a port have, that somebody observes.

``port.transport`` is Twisted's documented place to choose the class of a port's accepted
connections; :func:`observe_port` puts one there, and the port's options beside it.  This module
must not know who observes, nor what the classes do.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp, unix

from socketsuite.transport.burst import accelerate
from socketsuite.transport.observed_burst import (
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


def _burst_class(local: bool, options: PortOptions) -> type:
    if local:
        return ObservedUNIX if options.proxy is None else ProxiedUNIX
    if options.tls is not None:
        return ObservedTLS if options.proxy is None else ProxiedTLS
    return ObservedTCP if options.proxy is None else ProxiedTCP


def _stock_class(local: bool, options: PortOptions) -> type:
    if local:
        return StockUNIX if options.proxy is None else ProxiedStockUNIX
    return StockTCP if options.proxy is None else ProxiedStockTCP
