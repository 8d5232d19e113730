"""A lobby of people with line clients, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from twisted.internet.task import Clock

from socketsuite.services.chat.chat import Chat
from socketsuite.services.chat.hub import Hub
from socketsuite.services.chat.lines import LineChatFactory
from socketsuite.services.chat.person import Person
from tests.services.streams import FakeStream


class LineRoom:
    """Ann, the lobby's operator, Bob, who has said a command too, and Cat, who has said none.

    :ivar streams: of each by name, *people* who each is in the hub.
    """

    def __init__(self, frontend: Mapping[str, Any] = MappingProxyType({}), **settings: Any) -> None:
        self.clock = Clock()
        self.service = Chat(self.clock, **settings)
        self.service.hub = Hub(self.clock.seconds, self.service.lobby, self.service.limits)
        self.factory = LineChatFactory(self.service, self.clock, **frontend)
        self.streams: dict[str, FakeStream] = {}
        self.service.flood.rate = 0.0  # it begins when everybody is there
        for name in ("ann", "bob", "cat"):
            self.enter(name)
        for name in ("ann", "bob"):
            self.type(f"{name}: /nick {name}")
        self.service.settings_reloaded({})
        self.forget()

    @property
    def people(self) -> dict[str, Person]:
        return {name: stream.protocol.person for name, stream in self.streams.items()}

    def enter(self, name: str) -> FakeStream:
        self.streams[name] = FakeStream(self.factory.buildProtocol(None))
        return self.streams[name]

    def type(self, text: str) -> None:
        """Have lines of the form ``NAME: TEXT``, all of one person, arrive in one piece."""
        name = text.partition(": ")[0]
        lines = [line.removeprefix(f"{name}: ") for line in text.split("\n")]
        self.streams[name].protocol.dataReceived("".join(f"{one}\n" for one in lines).encode())

    def seen(self, name: str) -> str:
        """Return what that person's client was sent since the last ``forget()``."""
        return str(self.streams[name].value().decode())

    def forget(self) -> None:
        for stream in self.streams.values():
            stream.clear()
