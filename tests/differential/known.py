"""Scenarios by hand: faults that the burst transport had, each as small as it can be.

A random scenario that found something is added here, once it is mended.
"""

from __future__ import annotations

from typing import Any

from tests.differential.scenario import Connection, Handler, Op, Scenario, Step

_CALL = Step("connect", 0)


def _at(event: str, *ops: Op, at: int = 0, **more: Any) -> Connection:
    return Connection((Handler(event, ops, at),), **more)


def _push(*scripts: Op, by_timer: bool = False) -> Op:
    """Return far more than the kernel takes; it leaves when all of it is written."""
    return Op("push", 0, (400_000, 200_000, by_timer), scripts)


def _scenario(connection: Connection, *steps: Step, kind: str = "tcp") -> Scenario:
    return Scenario(kind, (connection,), (_CALL, *steps), tight=True)


KNOWN = {
    "a counting producer goes on after it was paused": _scenario(
        _at("made", Op("pull made push", 0, (400_000, 50_000, False)))
    ),
    "a send that fails in a flush costs one connection": Scenario(
        "tcp",
        (_at("data", Op("write", 0, 1), Op("fail send", 0), at=1), Connection(echo=True)),
        (_CALL, Step("connect", 1), Step("send", 0, 1), Step("send", 1, 5)),
    ),
    "loseConnection ends a handshake": Scenario(
        "tls",
        (Connection(), Connection()),
        (
            Step("connect", 0),
            Step("silent connect", 1),
            Step("server", 0, ops=(Op("lose", 1),)),
        ),
    ),
    "what comes with the end of a handshake waits for one that is paused": Scenario(
        "tls", (_at("made", Op("pause")),), (Step("connect", 0, 2000),)
    ),
    "what comes with a late end of a handshake waits for one that is paused": Scenario(
        "tls", (_at("made", Op("pause"), late=True),), (Step("connect", 0, 2000),)
    ),
    "what is written at a late end of a handshake comes": Scenario(
        "tls", (_at("made", Op("write", 0, 3000), late=True),), (Step("connect", 0),)
    ),
    "a paused producer writes all after loseConnection": _scenario(
        _at("made", _push(Op("when paused", 0, ops=(Op("lose", 0),)), by_timer=True))
    ),
    "a paused producer writes all after loseWriteConnection": _scenario(
        _at("made", _push(Op("when paused", 0, ops=(Op("lose write", 0),)), by_timer=True))
    ),
    "a producer that raises when stopped leaves nothing behind": _scenario(
        Connection(),
        Step("stall"),
        Step("server", ops=(_push(Op("when stopped", 0, ops=(Op("raise"),))),)),
        Step("reset"),
    ),
    "a client that closes without close_notify is no error": _scenario(
        Connection(), Step("close"), kind="tls"
    ),
    "close_notify is answered": _scenario(Connection(), Step("notify"), kind="tls"),
    "a peer that goes while a close waits for a producer is noticed": _scenario(
        _at("made", Op("produce itself"), Op("lose", 0)), Step("close"), kind="tls"
    ),
}
