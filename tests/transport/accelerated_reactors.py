"""Twisted's reactors, with every stream port they open put on the burst transport."""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.pollreactor import PollReactor
from twisted.internet.selectreactor import SelectReactor

from socketsuite.transport.burst import accelerate
from socketsuite.transport.options import PortOptions


class _Accelerated:
    pure = False

    def _accelerate(self, port: Any) -> Any:
        return accelerate(port, PortOptions(pure=self.pure))

    def listenTCP(self, *arguments: Any, **more: Any) -> Any:
        return self._accelerate(super().listenTCP(*arguments, **more))  # type: ignore[misc]

    def listenUNIX(self, *arguments: Any, **more: Any) -> Any:
        return self._accelerate(super().listenUNIX(*arguments, **more))  # type: ignore[misc]

    def adoptStreamPort(self, *arguments: Any) -> Any:
        return self._accelerate(super().adoptStreamPort(*arguments))  # type: ignore[misc]


class AcceleratedEPollReactor(_Accelerated, EPollReactor):
    pass


class AcceleratedPollReactor(_Accelerated, PollReactor):
    pass


class AcceleratedSelectReactor(_Accelerated, SelectReactor):
    pass


class AcceleratedAsyncioReactor(_Accelerated, AsyncioSelectorReactor):
    def __init__(self) -> None:
        super().__init__(asyncio.new_event_loop())


class PureEPollReactor(AcceleratedEPollReactor):
    pure = True


class PurePollReactor(AcceleratedPollReactor):
    pure = True


class PureSelectReactor(AcceleratedSelectReactor):
    pure = True


class PureAsyncioReactor(AcceleratedAsyncioReactor):
    pure = True
