"""A service's object and its frontends' factories: built, started, told of a drain, stopped.

Calls the service's own code, which may take its time: each hook has a limit.  Must not know of
sockets.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from socketsuite.daemon.config.configuration import Configuration
from socketsuite.daemon.config.frontends import FrontendConfiguration
from socketsuite.daemon.errors import StartError
from socketsuite.daemon.serve.factory import (
    as_one_line,
    check_factory,
    check_first,
    check_fit,
    is_datagram_factory,
    made_by,
)
from socketsuite.daemon.serve.hooks import hook_of


class Factories:
    """The service's object, and the factory of each frontend that listens.

    :param offered: what the targets may have parameters for, by name.
    :ivar service: the object that the plugin's target made; ``None`` before and after.
    :ivar by_frontend: the factories, by their frontends' names.
    """

    _log = Logger()

    def __init__(
        self, configuration: Configuration, reactor: Any, offered: Mapping[str, Any]
    ) -> None:
        self._configuration = configuration
        self._reactor = reactor
        self._offered = offered
        self.service: Any = None
        self.by_frontend: dict[str, Any] = {}
        self._running: list[Any] = []
        self._start_was_called = False
        self._awaited: Deferred[Any] | None = None

    # ── building ────────────────────────────────────────────────────────────────────

    def build_service(self) -> None:
        """Make the service's object, and the first frontend's factory, unless they are there.

        Where only the factory can tell whether it speaks UDP, the configuration learns it.

        :raises StartError: naming the target, and what is wrong with what it made.
        """
        if self.service is not None:
            return
        configuration = self._configuration
        plugin, first, build = configuration.plugin, configuration.frontends[0], configuration.build
        _, udp = configuration.kinds
        service = made_by(plugin.target, lambda: build(self._offered))
        factory = self._made(first, service)
        check_first(factory, plugin, first.target, udp=udp)
        self.service, self.by_frontend = service, {first.name: factory}
        if configuration.datagrams is None:
            configuration.datagrams = is_datagram_factory(factory)

    def build(self, frontends: Sequence[FrontendConfiguration]) -> None:
        """Make the factories of those *frontends* that have none yet.

        :raises StartError: as above.
        """
        for one in frontends:
            if one.name in self.by_frontend:
                continue
            factory = self._made(one, self.service)
            if one.frontend.kind == "datagram" and not is_datagram_factory(factory):
                raise StartError(
                    f"{one.target} made no factory of datagram protocols, as frontend {one.name}"
                    " needs one: it has no buildDatagramProtocol()"
                )
            self.by_frontend[one.name] = factory

    def _made(self, frontend: FrontendConfiguration, service: Any) -> Any:
        build = frontend.build
        factory = service
        if build is not None:
            factory = made_by(frontend.target, lambda: build(self._offered, service))
        check_fit(factory, frontend.target)
        return factory

    @property
    def all(self) -> list[Any]:
        """The service's object and the factories, each once."""
        found = [self.service]
        for one in self.by_frontend.values():
            if all(one is not other for other in found):
                found.append(one)
        return found

    def check(self) -> None:
        """Ask each, by ``check_start()``, what would keep it from starting.

        :raises StartError: for what that raises.
        """
        for one in self.all:
            check_factory(one)

    # ── starting ────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Call ``startFactory`` of each.

        :raises StartError: for what that raises; those before it are stopped again.
        """
        for name, factory in self.by_frontend.items():
            target = self._frontend(name).target
            try:
                with as_one_line(f"startFactory() of {target}"):
                    factory.doStart()
            except StartError:
                self._stop_factories()
                raise
            self._running.append(factory)

    def _frontend(self, name: str) -> FrontendConfiguration:
        return next(one for one in self._configuration.frontends if one.name == name)

    def start_service(self) -> Deferred[None]:
        """Call the service's ``start_service()``.

        :return: fires when the service can serve; fails with :class:`StartError`.
        """
        hook = hook_of(self.service, "start_service")
        self._start_was_called = True
        if hook is None:
            return succeed(None)
        what = f"start_service() of {self._configuration.plugin.target}"
        seconds = self._configuration.limits.start_timeout

        def explain(failure: Failure) -> None:
            self._start_was_called = False
            if failure.check(_TookTooLongError):
                raise StartError(f"{what} took longer than {seconds:g} s (--start-timeout)")
            with as_one_line(what):
                failure.raiseException()

        return self._bounded(hook, seconds).addErrback(explain)

    # ── stopping ────────────────────────────────────────────────────────────────────

    def drain_service(self, seconds: float) -> Deferred[None]:
        """Tell the service, by ``drain_service()``, that it drains.

        :return: fires when it has done what it wants to, or after *seconds*.
        """
        if not self._start_was_called:
            return succeed(None)
        return self._call("drain_service", seconds)

    def stop(self) -> Deferred[None]:
        """Call ``stop_service()``, if the service was started, then ``stopFactory`` of each.

        :return: fires when all is over; at once where it was stopped before.
        """
        called, self._start_was_called = self._start_was_called, False
        if self.service is None or not called:
            self._stop_factories()
            return succeed(None)
        stopped = self._call("stop_service", self._configuration.limits.stop_timeout)
        return stopped.addCallback(lambda _: self._stop_factories())

    def force_stop(self) -> None:
        """Wait no longer for a hook under way."""
        if self._awaited is not None:
            self._awaited.cancel()

    def _call(self, name: str, seconds: float) -> Deferred[None]:
        hook = hook_of(self.service, name)
        if hook is None:
            return succeed(None)

        def report(failure: Failure) -> None:
            service = self._configuration.name
            if failure.check(_TookTooLongError):
                text = "{service}: {name}() is given up, after {seconds:g} s"
                self._log.warn(text, service=service, name=name, seconds=seconds)
            else:
                text = "{service}: {name}() raised"
                self._log.failure(text, failure, service=service, name=name)

        return self._bounded(hook, seconds).addErrback(report)

    def _stop_factories(self) -> None:
        running, self._running = self._running, []
        self.service, self.by_frontend = None, {}
        for factory in reversed(running):
            try:
                factory.doStop()
            except Exception:  # noqa: BLE001 - a stranger's code: the others are stopped all the same
                text = "{service}: stopFactory() raised"
                self._log.failure(text, service=self._configuration.name)

    # ── time ────────────────────────────────────────────────────────────────────────

    def _bounded(self, hook: Callable[[], Any], seconds: float) -> Deferred[None]:
        """Call *hook*, and await what it returns for *seconds* at most."""
        try:
            result = hook()
        except Exception:  # noqa: BLE001 - a stranger's code: any error of theirs
            return fail(Failure())
        if inspect.iscoroutine(result):
            result = Deferred.fromCoroutine(result)
        if not isinstance(result, Deferred):
            return succeed(None)
        return self._await(result, seconds)

    def _await(self, result: Deferred[Any], seconds: float) -> Deferred[None]:
        # Not by addTimeout(): a coroutine may take no notice of being cancelled.
        def give_up(outcome: Deferred[Any]) -> None:
            outcome.errback(_TookTooLongError())
            result.cancel()

        def settle(value: Any) -> None:
            if not outcome.called:
                outcome.callback(value if isinstance(value, Failure) else None)

        def end(value: Any) -> Any:
            self._awaited = None
            if late.active():
                late.cancel()
            return value

        outcome: Deferred[None] = Deferred(give_up)
        late = self._reactor.callLater(seconds, outcome.cancel)
        outcome.addBoth(end)
        self._awaited = outcome
        result.addBoth(settle)
        return outcome


class _TookTooLongError(Exception):
    """A hook has not come to its end in time."""
