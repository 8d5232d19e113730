"""Scenarios in which what stock does is no model for the burst transport, with the reason."""

from __future__ import annotations

from tests.differential.scenario import Scenario, all_ops, nested

_WRITES = ("write", "write sequence", "push", "pull", "pull made push", "file")


def why_not_compared(scenario: Scenario) -> str:
    """Return why what stock does says nothing about *scenario*; empty if it does.

    The burst transport is then still held to what is wrong by itself: a notice too many,
    data while paused, a second connectionLost, something left behind.
    """
    ops = all_ops(scenario)
    if scenario.secure:
        # Twisted's TLS hands loseWriteConnection to the socket below, whose FIN comes without
        # a close_notify, and never tells a protocol of a half-close.
        if any(connection.half_closeable for connection in scenario.connections):
            return "half-close"
        if any(op.name == "lose write" for op in ops):
            return "half-close"
        # Twisted's TLS delivers all it has decrypted, to a protocol that has paused too; so
        # there what is done in answer to it is done sooner.
        if any(op.name in ("pause", "resume") for op in ops):
            return "data while paused"
        # Its stopProducing ends the socket below, without a close_notify.
        if any(op.name in ("stop", "relay") for op in ops):
            return "stopProducing"
        # It asks a pull producer for the first time in the next turn, not at once.
        if any(op.name == "when resumed" for op in ops):
            return "pull producers are asked later"
        # What is written from within pauseProducing, its buffer of small writes forgets.
        for op in ops:
            if op.name == "when paused" and any(inner.name in _WRITES for inner in op.ops):
                return "writes in pauseProducing"
        if any(connection.forward is not None for connection in scenario.connections):
            return "stopProducing"
    for connection in scenario.connections:
        for handler in connection.handlers:
            # An exception in connectionMade ends the connection; stock leaves it open.
            if handler.event == "made" and any(op.name == "raise" for op in nested(handler.ops)):
                return "raises in connectionMade"
    for op in ops:
        # Stock keeps what was written, and forgets to send it.
        if op.name == "when paused" and any(inner.name == "raise" for inner in op.ops):
            return "raises in pauseProducing"
        # A write from outside of a burst is out before the next send can fail.
        if op.name == "fail send":
            return "failing send"
        # Stock leaves a connection whose producer's stopProducing raises open for ever.
        if op.name == "when stopped" and any(inner.name == "raise" for inner in op.ops):
            return "raises in stopProducing"
    return ""
