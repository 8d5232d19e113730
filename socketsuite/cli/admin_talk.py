"""One request to a daemon's admin socket, and its answers.

The wire is that of the daemon's admin socket: one JSON object a line, each way.  This module
must not know what is asked for, nor how an answer is shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from socketsuite.cli.waiting import first_of
from socketsuite.transport.dial.dialing import StreamClient, check_end, dial
from socketsuite.transport.dial.failed import Failed
from socketsuite.transport.dial.target import Target

_LONGEST_ANSWER = 64 << 20

Show = Callable[[Mapping[str, Any]], None]


class Answers:
    """Cuts what the daemon sends into its objects, and hands each to *tell*."""

    def __init__(self, tell: Show) -> None:
        self._tell = tell
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Take the next chunk.

        :raises ValueError: when this is no daemon's answer.
        """
        *ends, rest = data.split(b"\n")
        for end in ends:
            line, self._parts, self._size = b"".join([*self._parts, end]), [], 0
            answer = json.loads(line)
            if not isinstance(answer, dict):
                raise ValueError("not an object")
            self._tell(answer)
        self._parts.append(rest)
        self._size += len(rest)
        if self._size > _LONGEST_ANSWER:
            raise ValueError("too long")


def _refused(answer: Mapping[str, Any]) -> Exception:
    return Failed(f"The daemon refuses: {answer['error']}", "daemon-refused")


async def talk(
    reactor: Any,
    target: Target,
    request: Mapping[str, Any],
    tell: Show,
    *,
    until: Deferred[None] | None = None,
    refused: Callable[[Mapping[str, Any]], Exception] = _refused,
) -> bool:
    """Send *request*, hand every answer to *tell*; return whether the daemon ended it.

    :param until: what ends it; ``None`` for the first answer.
    :param refused: makes of an answer that is an error what is raised.
    :raises Failed: and whatever *tell* raises.
    """
    over: Deferred[Any] = Deferred()

    def end(outcome: Any) -> None:
        if not over.called:
            over.callback(outcome)

    def told(answer: Mapping[str, Any]) -> None:
        if over.called:
            return
        if "error" in answer:
            raise refused(answer)
        tell(answer)
        if deadline.active():
            deadline.cancel()
        if until is None:
            end(None)

    def feed(data: bytes) -> None:
        try:
            answers.feed(data)
        except ValueError:
            text = f"{target} is no admin socket: its answer is not JSON"
            end(Failure(Failed(text, "not-a-daemon")))
        except (KeyError, TypeError, AttributeError):
            text = f"{target} is no admin socket of this version: its answer is not a status"
            end(Failure(Failed(text, "not-a-daemon")))
        except Exception:  # noqa: BLE001 - raised again where it is awaited
            end(Failure())

    answers = Answers(told)
    client: Any = StreamClient()
    client.dataReceived = feed
    await dial(reactor, target, client)
    late = Failed(f"{target} does not answer within {target.timeout:g} s", "timeout")
    deadline = reactor.callLater(target.timeout, lambda: end(Failure(late)))
    if until is not None:
        until.chainDeferred(over)
    try:
        client.transport.write(json.dumps(request).encode() + b"\n")
        reason, which = await first_of(client.gone, over)
        if which == 1:
            return False
        check_end(target, client, reason)
        if until is None or deadline.active():
            text = f"{target} closed the connection without an answer"
            raise Failed(text, "not-a-daemon")
        return True
    finally:
        if deadline.active():
            deadline.cancel()
        client.transport.abortConnection()
