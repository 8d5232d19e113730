"""How a WebSocket is read: as fast as its handler and its peer's own reading allow.

What frames of one turn are answered with leaves together.  This module must not know what an event
means, nor how a connection ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from socketsuite.web.incoming import BadFrameError, Event, Incoming
from socketsuite.web.options import Common

FRAMES_IN_A_TURN = 256
"""Frames of one connection that are handed on before others have their turn."""

# In this order.
OPEN, CLOSING, CLOSED = range(3)


_log = Logger()


class Reading:
    """The receiving half of a connection.

    :ivar transport: what carries it.
    :ivar deflates: compression was agreed on.
    :ivar congested: the peer has left much unread, and is not read from until it has taken it.
    """

    __slots__ = (
        "_asked",
        "_common",
        "_incoming",
        "_later",
        "_parsing",
        "_paused",
        "_state",
        "congested",
        "deflates",
        "transport",
    )

    def __init__(self, common: Common, deflates: bool) -> None:
        self._common, self.deflates = common, deflates
        self.transport: Any = None
        self._incoming: Incoming | None = None
        self._state = OPEN
        self._asked = self._parsing = self._later = self._paused = self.congested = False

    def _handle(self, event: Event) -> None:
        raise NotImplementedError

    def _fail(self, code: int, text: str) -> None:
        raise NotImplementedError

    def abort(self) -> None:  # noqa: D102
        raise NotImplementedError

    def _show_life(self) -> None:
        """Learn that the peer is there: it need not be asked again for a while."""
        self._asked = False
        self._common.pinged.stop(self)  # type: ignore[arg-type]
        self._common.pings.start(self)  # type: ignore[arg-type]

    def pause(self) -> None:
        """Read no more until :meth:`resume`; the handler is called for nothing but the end."""
        if not self._paused and self._state == OPEN:
            self._paused = True
            self._look_whether_to_read()

    def resume(self) -> None:
        """Read on, what has come already first."""
        if self._paused:
            self._paused = False
            self._go_on()

    def corked(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call *function*, and return its result; what it sends leaves together, where the
        transport can do that.  While a transport reads it does so anyway.
        """
        corked = getattr(self.transport, "corked", None)
        return function(*arguments) if corked is None else corked(function, *arguments)

    def _go_on_later(self) -> None:
        self._later = True
        self._common.reactor.callLater(0, self._go_on_or_end)

    def _go_on_or_end(self) -> None:
        try:
            self._go_on()
        except Exception:  # noqa: BLE001 - for want of memory, say; no transport sees that here
            _log.failure("a WebSocket could not be read on")

    def _go_on(self) -> None:
        self._later = False
        if self._state == CLOSED:
            return
        try:
            self.corked(self._parse)
        except BaseException:
            self.abort()  # an answer may be missing from here on
            raise
        self._look_whether_to_read()

    def _look_whether_to_read(self) -> None:
        if self.transport is None:
            return
        if self._waits() or self._later:
            self.transport.pauseProducing()
        else:
            self.transport.resumeProducing()

    def _waits(self) -> bool:
        """Whether nothing is to be handed on just now."""
        return (self._paused or self.congested) and self._state == OPEN

    def dataReceived(self, data: bytes) -> None:
        """Take bytes; what comes after the end is not looked at."""
        if self._state == CLOSED:
            return
        if self._asked:
            self._show_life()
        incoming = self._incoming
        if incoming is None:
            options = self._common.options
            incoming = self._incoming = Incoming(
                options.max_message, options.max_fragments, self.deflates
            )
        incoming.feed(bytes(data))
        self._parse()

    def _parse(self) -> None:
        """Hand on what is complete, unless that is being done, or nobody wants it now."""
        incoming = self._incoming
        if incoming is None or self._parsing or self._later:
            return
        self._parsing = True
        try:
            for _ in range(FRAMES_IN_A_TURN):
                if self._state == CLOSED or self._waits():
                    break
                event = incoming.next()
                if event is None:
                    break
                self._handle(event)
            else:
                # Others have their turn, and then the rest.
                self._go_on_later()
                self._look_whether_to_read()
        except BadFrameError as bad:
            self._fail(bad.code, str(bad))
        finally:
            self._parsing = False
        if self._state == CLOSED or incoming.idle:
            self._incoming = None
