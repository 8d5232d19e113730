"""What WebSocket connections may cost, and what those of the same options have in common.

This module must not know what a connection is, but for what its timers ask of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from socketsuite.web.deadlines import Deadlines


@dataclass(frozen=True)
class WebSocketOptions:
    """What connections may cost.

    :param max_message: bytes of a message, as it is after inflation.
    :param max_fragments: frames that a message may come in.
    :param ping_interval: seconds from one ping to the next; 0 sends none.
    :param ping_timeout: seconds for anything at all to come after a ping.
    :param close_timeout: seconds for the peer's part of a close.
    :param deflate: agree on compression with those who offer it.
    """

    max_message: int = 65536
    max_fragments: int = 1024
    ping_interval: float = 25.0
    ping_timeout: float = 20.0
    close_timeout: float = 5.0
    deflate: bool = True


class Timed(Protocol):
    """What the timers ask of a connection."""

    def ping(self) -> None: ...  # noqa: D102
    def judge_silence(self) -> None: ...  # noqa: D102
    def close_is_late(self) -> None: ...  # noqa: D102


def _ping(connection: Timed) -> None:
    connection.ping()


def _judge_silence(connection: Timed) -> None:
    connection.judge_silence()


def _close_is_late(connection: Timed) -> None:
    connection.close_is_late()


class Common:
    """What connections with the same options have in common: the options, and their timers."""

    __slots__ = ("closing", "options", "pinged", "pings", "reactor")

    def __init__(self, reactor: Any, options: WebSocketOptions) -> None:
        self.reactor, self.options = reactor, options
        self.pings: Deadlines[Timed] = Deadlines(reactor, options.ping_interval, _ping)
        self.pinged: Deadlines[Timed] = Deadlines(reactor, options.ping_timeout, _judge_silence)
        self.closing: Deadlines[Timed] = Deadlines(reactor, options.close_timeout, _close_is_late)

    def stop(self, connection: Timed) -> None:
        """Forget *connection*."""
        for deadlines in (self.pings, self.pinged, self.closing):
            deadlines.stop(connection)


def common_of(reactor: Any, options: WebSocketOptions) -> Common:
    """Return what all connections of *reactor* with *options* have in common."""
    # An attribute, so that both are freed together.
    found: dict[WebSocketOptions, Common] | None
    found = getattr(reactor, "_socketsuite_websockets", None)
    if found is None:
        found = reactor._socketsuite_websockets = {}
    if options not in found:
        found[options] = Common(reactor, options)
    return found[options]
