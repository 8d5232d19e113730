"""Texts of people, as they may be kept and shown."""

from __future__ import annotations

from socketsuite.wire.irc import cut


def shortened(text: str, most: int) -> str:
    """Return *text* in at most *most* bytes."""
    return cut(text.encode("utf-8", "replace"), most).decode()
