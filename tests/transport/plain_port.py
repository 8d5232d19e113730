"""One plain port on the burst transport, turned by hand, and what is logged meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.protocol import Factory, Protocol
from twisted.python import log

from socketsuite.transport.burst import accelerate
from tests.support.hand_turned import HandTurned


class PlainPort(HandTurned):
    """One accelerated port, and what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.logged: list[dict[str, Any]] = []

    def listen(self, make: Callable[[], Protocol]) -> None:
        class Made(Factory):
            noisy = False

            def buildProtocol(self, addr: Any) -> Any:
                return make()

        self.port = accelerate(self.reactor.listenTCP(0, Made(), 200, "127.0.0.1"))


@pytest.fixture
def plain_port() -> Iterator[PlainPort]:
    made = PlainPort()
    log.addObserver(made.logged.append)
    yield made
    log.removeObserver(made.logged.append)
    made.close()
