"""Why a sender is not read from; one that is not for long is told so, again and again.

It might take a sink that reads nothing for a dead one: docs/protocol-ack.md has what it may expect.
This module must not know what is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer

REMIND_SECONDS = 5.0
"""A sender hears within twice of that; it gives up after 30 seconds of silence."""


class Reminders:
    """One timer for all connections of a frontend, while there are any to remind.

    :param reactor: its clock.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._since: dict[Holds, float] = {}
        self._is_set = False

    def add(self, one: Holds) -> None:
        """Remind *one*, from a while after now on."""
        self._since[one] = self._reactor.seconds()
        self._set()

    def remove(self, one: Holds) -> None:
        """Remind *one* no more."""
        self._since.pop(one, None)

    def _set(self) -> None:
        if self._since and not self._is_set:
            self._is_set = True
            self._reactor.callLater(REMIND_SECONDS, self._remind)

    def _remind(self) -> None:
        self._is_set = False
        now = self._reactor.seconds()
        for one, since in list(self._since.items()):
            if now - since >= REMIND_SECONDS:
                one.remind()
        self._set()


class Holds:
    """The reasons why one connection is not read from; it is, when there is none.

    :param say: tells the sender that it has to wait, or with ``False`` that it has to no more.
    :param go_on: obeys what was read before.
    """

    def __init__(
        self,
        transport: IPushProducer,
        reminders: Reminders,
        say: Callable[[bool], object],
        go_on: Callable[[], object],
    ) -> None:
        self._transport = transport
        self._reminders = reminders
        self._say = say
        self._go_on = go_on
        self._reasons: set[str] = set()
        self._reminded = False

    def __bool__(self) -> bool:
        return bool(self._reasons)

    def __contains__(self, why: str) -> bool:
        return why in self._reasons

    def add(self, why: str) -> None:
        """Read no more."""
        if not self._reasons:
            self._transport.pauseProducing()
            self._reminders.add(self)
        self._reasons.add(why)

    def remove(self, why: str) -> None:
        """Read on, unless there is another reason not to."""
        if why in self._reasons:
            self._reasons.discard(why)
            if not self._reasons:
                self._reminders.remove(self)
                if self._reminded:
                    self._reminded = False
                    self._say(False)
                self._transport.resumeProducing()
                self._go_on()

    def end(self, connected: bool = True) -> None:
        """Read on for good: what is read is not obeyed any more."""
        self._reasons.clear()
        self._reminders.remove(self)
        if connected:
            self._transport.resumeProducing()

    def remind(self) -> None:
        """Tell the sender that it has to wait: PING is not answered, either."""
        self._reminded = True
        self._say(True)
