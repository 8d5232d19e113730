"""Waiting for one of several events.

This module must not know what the events are.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, DeferredList, FirstError


async def first_of(*events: Deferred[Any]) -> tuple[Any, int]:
    """Return the first event's result, and its index.

    The first failure is raised; later ones, and those of a cancellation, are nobody's.
    """
    either = DeferredList(events, fireOnOneCallback=True, fireOnOneErrback=True, consumeErrors=True)
    try:
        result, index = await either
    except FirstError as error:
        error.subFailure.raiseException()
        raise  # never reached: the line above raises
    return result, index
