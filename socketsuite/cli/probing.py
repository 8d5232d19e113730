"""Which ports accept a connection: many at a time, in bounded memory and descriptors.

This module must not know of the command line, nor how a finding is shown.
"""

from __future__ import annotations

import os
import resource
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore

from socketsuite.cli.waiting import first_of
from socketsuite.transport.dial.connecting import Address
from socketsuite.transport.dial.dialing import NoServer, StreamClient, cause_of, dial, find
from socketsuite.transport.dial.facts import Facts, facts_of
from socketsuite.transport.dial.failed import Failed
from socketsuite.transport.dial.target import Target

_AT_ONCE = 64
# Findings come in the order asked for; so many may wait for an earlier one.
_AHEAD = 4096
# Two addresses of a name may be tried at once, and a connection is taken over by a copy.
_DESCRIPTORS_EACH = 3
_DESCRIPTORS_SPARE = 8
# A TLS 1.3 server judges our certificate after our handshake is done (RFC 8446, 4.4.2).
_VERDICT_SECONDS = 1.0

State = Literal["open", "closed", "filtered"]


@dataclass(frozen=True)
class Finding:
    """What became of one port: *error* is ``None`` for an open one, *seconds* what it took.

    *facts* are what became known by connecting; ``None`` where there was no connection.
    """

    target: Target
    state: State
    error: NoServer | None
    seconds: float
    facts: Facts | None


async def probe_all(
    reactor: Any, targets: Iterable[Target], show: Callable[[Finding], None]
) -> None:
    """Probe *targets*, and hand the findings to *show* in the same order.

    :raises Failed: when this machine cannot do it.
    """
    turns = DeferredSemaphore(_turns())
    hosts: dict[str, list[Address] | Failed] = {}
    begun: deque[Deferred[Finding]] = deque()

    def begin(target: Target) -> Deferred[Finding]:
        return Deferred.fromCoroutine(_probe(reactor, target, hosts[target.host]))

    try:
        for target in targets:
            if target.host not in hosts:
                hosts[target.host] = await _find(reactor, target)
            begun.append(turns.run(begin, target))
            while begun and (begun[0].called or len(begun) >= _AHEAD):
                show(await begun.popleft())
        while begun:
            show(await begun.popleft())
    finally:
        for one in begun:
            one.addErrback(lambda _: None)
            one.cancel()


def _turns() -> int:
    """Return how many ports may be tried at once with the descriptors that there are."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        return _AT_ONCE
    left = most - len(os.listdir("/proc/self/fd")) - _DESCRIPTORS_SPARE
    return max(1, min(_AT_ONCE, left // _DESCRIPTORS_EACH))


async def _find(reactor: Any, target: Target) -> list[Address] | Failed:
    """Return where the host is, or why that cannot be told in time."""
    looking = Deferred.fromCoroutine(find(reactor, target))
    deadline = reactor.callLater(target.timeout, looking.cancel)
    try:
        return await looking
    except Failed as error:
        return error
    except CancelledError:
        if deadline.active():
            raise
        return Failed(f"no answer within {target.timeout:g} s", "timeout")
    finally:
        if deadline.active():
            deadline.cancel()


async def _probe(reactor: Any, target: Target, where: list[Address] | Failed) -> Finding:
    began = reactor.seconds()
    client = StreamClient()
    error = None
    try:
        if isinstance(where, Failed):
            raise NoServer(target, str(where), where.code)
        await dial(reactor, target, client, where)
        await _judged(reactor, target, client)
    except NoServer as why:
        error = why
    facts = facts_of(client)
    if client.transport is not None:
        client.transport.abortConnection() if error else client.transport.loseConnection()
    state: State = "open" if error is None else "filtered" if error.timed_out else "closed"
    return Finding(target, state, error, reactor.seconds() - began, facts)


async def _judged(reactor: Any, target: Target, client: StreamClient) -> None:
    """Return when the server has taken our certificate, or that there is none, for good.

    That is when it says anything at all after the handshake, or nothing for a while.  One
    that did not ask for a certificate, or speaks TLS 1.2, has nothing left to judge.

    :raises NoServer: when it closes instead.
    """
    tls = client.tls
    if tls is None or not tls.asked or not tls.is_judged_late:
        return
    late: Deferred[None] = Deferred()
    timer = reactor.callLater(min(_VERDICT_SECONDS, target.timeout), late.callback, None)
    try:
        reason, which = await first_of(client.gone, tls.heard, late)
    finally:
        if timer.active():
            timer.cancel()
    if which == 0:
        raise NoServer(target, *cause_of(reason, client))
