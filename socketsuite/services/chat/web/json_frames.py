"""Objects as WebSocket frames of JSON: events once for all who hear them, answers for one.

This module must not know whom they are for.
"""

from __future__ import annotations

import json
from typing import Any

from socketsuite.services.chat.events import Event
from socketsuite.services.chat.web.objects import Object, objects_of
from socketsuite.wire.websocket import encode_text

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def frame(found: Object) -> bytes:
    """Return *found* as one text frame."""
    return encode_text(_encode(found).encode("utf-8", "replace"))


def render(event: Event) -> bytes:
    """Return what a client of JSON is sent of *event*: frames, one after the other."""
    return b"".join([frame(found) for found in objects_of(event)])


def decode(text: str) -> Any:
    """Return the value that *text* is.

    :raises ValueError: when it is not JSON, or too deep for Python.
    """
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("too deep") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
