"""What came of a scenario on one transport, as values."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class End:
    """What came of one connection."""

    got: bytes = b""
    ended: str = ""
    notified: bool = False
    events: tuple[str, ...] = ()
    received: bytes = b""
    sent: bytes = b""
    reason: str = ""
    aborted: bool = False
    closing: bool = False
    cut: bool = False
    half_closings: int = 0


@dataclass
class Outcome:
    """What came of a scenario; *faults* are wrong by themselves, whatever stock does.

    *pressed*: what producers were told, where the scenario has an answer to that.
    """

    ends: list[End] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    pressed: list[str] = field(default_factory=list)
    turns: int = 0
