"""Answers that may take more than one turn: of all rooms, or of everybody.

A command whose handler is a generator is such an answer: after each of its steps others may have
their turn.  Lines that the client sends meanwhile wait.  This module must not know any command.
"""

from __future__ import annotations

from collections.abc import Iterator

from socketsuite.services.chat.irc.client import Client
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.turns import TURN


class Gradual:
    """An answer that is under way.

    :param steps: sends a part of it for each that is taken.
    :param label: of the answer: it goes out as a whole then, and what others say meanwhile
        after it.
    """

    def __init__(self, client: Client, steps: Iterator[object], label: str) -> None:
        self._client, self._steps, self._label = client, steps, label
        self._answer: list[bytes] = []
        self._others: list[bytes] = []

    def __call__(self) -> None:
        """Take as many steps as there is time for; the others wait before all other lines."""
        client = self._client
        if self._label:
            client.capture(self._answer)
        more = self._go_on()
        if more and not client.closing:
            client.waiting.appendleft((0.0, self))
        if self._label:
            client.capture(self._others if more else None)
            if not more:
                client.answer(b"".join(self._answer), self._label)
                client.deliver(b"".join(self._others))

    def _go_on(self) -> bool:
        """Return whether there are steps left."""
        clock = self._client.clock
        until = clock.seconds() + TURN
        try:
            for _ in self._steps:
                if clock.seconds() > until:
                    return True
        except Refused as refused:
            self._client.refuse(refused)
        return False
