"""People who are in a chat by WebSocket and JSON; all that is said is held against the schema."""

from __future__ import annotations

import contextlib
import itertools
import json
from typing import Any

import jsonschema
from websockets.sync.client import ClientConnection, connect

from socketsuite.services.chat.web.schema import schema

SECONDS = 20.0
_WHOLE = schema()


def _validator(side: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({**_WHOLE, "anyOf": [{"$ref": f"#/$defs/{side}"}]})


CLIENT, SERVER = _validator("client"), _validator("server")


class WebPerson:
    """One client of JSON; use it as a context.

    :ivar events: those that came and nobody has asked for yet.
    """

    def __init__(self, port: int, nick: str | None = None, **how: Any) -> None:
        self._open = contextlib.ExitStack()
        address = f"ws://127.0.0.1:{port}/ws"
        self.socket: ClientConnection = self._open.enter_context(connect(address, **how))
        self.events: list[dict[str, Any]] = []
        self._labels = map(str, itertools.count(1))
        if nick is not None:
            self.done("hello", version=1, nick=nick)

    def __enter__(self) -> WebPerson:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def read(self) -> dict[str, Any]:
        """Return the next object."""
        found: dict[str, Any] = json.loads(self.socket.recv(SECONDS))
        SERVER.validate(found)
        return found

    def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Ask, and return the answer; events that come before it are kept."""
        asked = {"type": kind, "request": next(self._labels), **fields}
        CLIENT.validate(asked)
        self.socket.send(json.dumps(asked))
        while True:
            found = self.read()
            if "request" in found:
                assert found["request"] == asked["request"]
                return found
            self.events.append(found)

    def done(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Ask for what is done, and return the answer."""
        answer = self.ask(kind, **fields)
        assert answer["type"] == "done", answer
        return answer

    def refused(self, kind: str, **fields: Any) -> str:
        """Ask for what is refused, and return the code."""
        answer = self.ask(kind, **fields)
        assert answer["type"] == "refused", answer
        return str(answer["code"])

    def event(self, kind: str) -> dict[str, Any]:
        """Return the next event of that type; those before it are dropped."""
        while True:
            found = self.events.pop(0) if self.events else self.read()
            if found["type"] == kind:
                return found
