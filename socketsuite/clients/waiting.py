"""Waiting for one of several events.

This module must not know what the events are.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, DeferredList


def first_of(*events: Deferred[Any]) -> Deferred[tuple[Any, int]]:
    """Return a Deferred of the first event's result, and its index; none of them may fail."""
    return DeferredList(events, fireOnOneCallback=True)
