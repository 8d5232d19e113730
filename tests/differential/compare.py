"""What has to be the same on both transports, and where a difference is no fault.

Each normalisation is here, with its reason; docs/burst.md lists those that a user may meet.
"""

from __future__ import annotations

from collections import Counter

from socketsuite.transport import compiled
from tests.differential.not_compared import why_not_compared
from tests.differential.outcome import End, Outcome
from tests.differential.scenario import Scenario, all_ops
from tests.differential.stage import VARIANTS, run

_PULLS = ("pull", "pull made push", "file")


def mismatches(scenario: Scenario) -> list[str]:
    """Run *scenario* on stock and on both bursts; return in what these differ from it."""
    compared = not why_not_compared(scenario)
    stock = run(scenario, burst=False) if compared else None
    found = []
    for name, pure in {"compiled": False, "python": True}.items():
        if pure or compiled.AVAILABLE:
            burst = run(scenario, burst=True, pure=pure)
            found += [f"{name}: {line}" for line in _mismatches(scenario, stock, burst)]
    return found


def _mismatches(scenario: Scenario, stock: Outcome | None, burst: Outcome) -> list[str]:
    if stock is None:
        return list(burst.faults) + [f"logs {message}" for message in burst.logged]
    found = [
        f"logs {message}"
        for message in burst.logged
        if message.partition("\n")[0] not in {other.partition("\n")[0] for other in stock.logged}
    ] + [fault for fault in burst.faults if fault not in stock.faults]
    if any(fault.endswith(("spins", "paused twice")) for fault in stock.faults):
        # Stock pauses a producer with each write that somebody else makes; one that counts
        # never goes on then.
        return found
    differ = differences(scenario, stock, burst)
    if differ:
        # What stock itself does differently in another order is a matter of timing.
        for how in VARIANTS:
            other = run(scenario, burst=False, **how)
            for place in differences(scenario, stock, other):
                differ.pop(place, None)
    return found + list(differ.values())


def differences(scenario: Scenario, stock: Outcome, other: Outcome) -> dict[str, str]:
    """Return what differs, each under the place where it does."""
    found: dict[str, str] = {}
    if sorted(stock.pressed) != sorted(other.pressed):
        # Stock pauses a producer before it has asked the kernel to take anything, the burst
        # transport only when it would not take all: what is done in answer to that is done on
        # one of them alone.
        return found
    for number, (one, two) in enumerate(zip(stock.ends, other.ends, strict=True)):
        for what, words in _ends_differ(scenario, number, one, two):
            found[f"{number} {what}"] = f"connection {number}: {what}: {words}"
    return found


def _ends_differ(scenario: Scenario, number: int, stock: End, burst: End) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    plan = scenario.connections[number]
    if max(stock.half_closings, burst.half_closings) > 1:
        # Stock never ends its half if a producer was registered then, and loses the connection
        # if it is asked to end it twice; here the half is ended, and that is all.
        if not _one_begins_the_other(stock.got, burst.got) or (
            len(burst.got) < len(stock.got) and not stock.cut and not burst.cut
        ):
            found.append(("bytes written", f"stock {len(stock.got)}, burst {len(burst.got)}"))
        return found
    gone = stock.ended in ("closed", "reset")
    if plan.half_closeable and gone:
        # Of a peer that is gone altogether, each half may be told, or the whole; and where both
        # halves are over nobody looks for the end of the whole.
        pass
    elif _events(stock) != _events(burst):
        found.append(("callbacks", f"stock {stock.events}, burst {burst.events}"))
    # Whose end was first is a matter of time.
    closed_twice = gone and (stock.closing or burst.closing or scenario.secure)
    if (
        stock.reason
        and burst.reason
        and not closed_twice
        and _reason(scenario, stock) != _reason(scenario, burst)
    ):
        found.append(("reason", f"stock {stock.reason}, burst {burst.reason}"))
    unread = (stock.closing or burst.closing) and max(
        len(stock.sent) - len(stock.received), len(burst.sent) - len(burst.received)
    ) > 0
    if unread and scenario.secure:
        # Twisted's TLS waits for the peer's close_notify, and so reads what comes before it.
        return found
    if stock.ended != burst.ended and not unread:
        # Who closes before all is read resets the connection: the kernel's rule, and a matter
        # of what has arrived by then.
        found.append(("ending", f"stock {stock.ended}, burst {burst.ended}"))
    if scenario.secure and stock.notified != burst.notified:
        found.append(("close_notify", f"stock {stock.notified}, burst {burst.notified}"))
    if plan.echo or any(other.forward is not None for other in scenario.connections):
        # What is read comes in pieces of other sizes, between which something else may be
        # written; and what is written depends on how much was read before the end.
        lossy = unread or _loses_bytes(stock) or _loses_bytes(burst) or stock.cut or burst.cut
        same = lossy or Counter(stock.got) == Counter(burst.got)
    elif scenario.secure and any(op.name in _PULLS for op in all_ops(scenario)):
        # Twisted's TLS asks a pull producer in the next turn, not at once, so what else is
        # written comes before its bytes or after.
        lossy = _loses_bytes(stock) or _loses_bytes(burst) or stock.closing
        lossy = lossy or stock.cut or burst.cut
        same = lossy or Counter(stock.got) == Counter(burst.got)
    elif (stock.cut or burst.cut) and not scenario.secure:
        # Stock closes as soon as nothing is queued, which a push producer that is not paused
        # may prevent or not: a question of what comes first in a turn.  And how much one has
        # written that is told to leave is a question of when it was paused.
        same = _one_begins_the_other(stock.got, burst.got)
    elif scenario.secure and stock.closing:
        # Twisted's TLS may lose what was written in small pieces just before the end.
        same = burst.got.startswith(stock.got)
    elif unread or _loses_bytes(stock) or _loses_bytes(burst):
        # How much had left before such an end is a matter of time, and a write from outside
        # of a burst leaves at once; but one is the beginning of the other.
        same = _one_begins_the_other(stock.got, burst.got)
    else:
        same = stock.got == burst.got
    if not same:
        found.append(("bytes written", f"stock {len(stock.got)}, burst {len(burst.got)}"))
    waits = len(stock.received) < len(stock.sent) and len(burst.received) < len(burst.sent)
    if waits or stock.closing or burst.closing or _loses_bytes(stock):
        # Reads are of other sizes, so one may have read more before it was told to stop.
        same = _one_begins_the_other(stock.received, burst.received)
    else:
        same = stock.received == burst.received
    if not same:
        words = f"stock {len(stock.received)}, burst {len(burst.received)}"
        found.append(("bytes read", words))
    return found


def _events(end: End) -> tuple[str, ...]:
    """Return the callbacks; the end of a half once."""
    events: list[str] = []
    for event in end.events:
        # OwnEvent again to whoever asks or reads again, if there is still time.
        if event not in events:
            events.append(event)
    return tuple(events)


def _reason(scenario: Scenario, end: End) -> str:
    if scenario.secure and (end.aborted or end.reason in ("ScriptedError", "ConnectionLost")):
        # Twisted's TLS says ConnectionLost of what was aborted, and of what was raised.
        return "ConnectionLost"
    if scenario.local and end.ended == "closed":
        return ""  # a hang-up is told with the last read or instead of it
    return end.reason


def _loses_bytes(end: End) -> bool:
    """Tell whether a connection ended in a way by which bytes are lost."""
    return (
        end.aborted
        or end.ended in ("reset", "closed")
        or end.reason not in ("", "ConnectionDone")
        or (end.reason == "ConnectionDone" and not end.closing)
    )


def _one_begins_the_other(one: bytes, two: bytes) -> bool:
    return one.startswith(two) or two.startswith(one)
