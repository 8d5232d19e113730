"""How one service ends in good order: its connections are asked to finish, then closed.

Must not know of ports, nor of why the service ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from socketsuite.daemon.config.configuration import Configuration
from socketsuite.daemon.serve.factories import Factories
from socketsuite.daemon.serve.protocols import drain_of
from socketsuite.observe.events import Draining, Events, Stopped
from socketsuite.policies.connections import Connections
from socketsuite.reasons import DRAIN_TIMEOUT, DRAINED, STOPPED, Reason


class Drain:
    """The end of one service.

    :param at_end: called when nothing is open any more, before the factories are stopped.
    :ivar begun: whether it has begun.
    """

    _log = Logger()

    def __init__(
        self,
        configuration: Configuration,
        reactor: Any,
        events: Events,
        connections: Connections,
        factories: Factories,
        at_end: Callable[[], None],
    ) -> None:
        self._configuration = configuration
        self._reactor = reactor
        self._events = events
        self._connections = connections
        self._factories = factories
        self._at_end = at_end
        self.begun = False
        self._aborted = 0
        self._late: Any = None
        self._done: Deferred[None] = Deferred()

    def begin(self, stop_listening: Callable[[], Deferred[Any]]) -> Deferred[None]:
        """Let the connections finish, as soon as nobody listens any more.

        :return: fires when nothing is open; the same one for every caller.
        """
        if not self.begun:
            self.begun = True
            stop_listening().addCallback(self._let_finish)
        return self._done

    def _let_finish(self, _: Any) -> None:
        name, timeout = self._configuration.name, self._configuration.limits.drain_timeout
        self._events.emit(Draining(name, len(self._connections), timeout))
        drained = self._factories.drain_service(timeout)
        if self._connections.open:
            self._late = self._reactor.callLater(timeout, self.abort_all, DRAIN_TIMEOUT)
            for transport in list(self._connections.open):
                self._ask_to_finish(transport)
        drained.addCallback(lambda _: self._connections.when_empty(self._nothing_is_open))

    def _ask_to_finish(self, transport: Any) -> None:
        """Call ``drain()`` on the service's protocol, if it offers one."""
        finish = drain_of(transport.protocol)
        if finish is None:
            return
        transport.why = transport.why or DRAINED
        try:
            finish()
        except Exception:  # noqa: BLE001 - a stranger's code: it costs this connection alone
            self._log.failure("{service}: drain() raised", service=self._configuration.name)
            transport.abortConnection()

    def force(self) -> None:
        """Wait no longer."""
        self.abort_all(STOPPED)
        self._factories.force_stop()

    def abort_all(self, why: Reason) -> None:
        """End every connection at once."""
        for transport in list(self._connections.open):
            transport.abort(why)
            self._aborted += 1

    def _nothing_is_open(self) -> None:
        if self._late is not None and self._late.active():
            self._late.cancel()
        self._at_end()
        self._factories.stop().addCallback(self._finished)

    def _finished(self, _: None) -> None:
        self._events.emit(Stopped(self._configuration.name, self._aborted))
        self._done.callback(None)
