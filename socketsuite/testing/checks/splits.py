"""Segmentation: a stream has no messages, and replies do not depend on where it was cut.

Must not know what the requests mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from socketsuite.testing.checks.base import Check
from socketsuite.testing.conversation import Conversation
from socketsuite.testing.daemon import Daemon
from socketsuite.testing.journal import ARGUMENTS, Journal
from socketsuite.testing.replies import NonConformance, Reply

_MOST_CUTS = 48
_MOST_SINGLE_BYTES = 256
_PIPELINED = 64


def cuts(length: int, most: int = _MOST_CUTS) -> list[int]:
    """Return at most *most* places between the bytes of *length*, evenly spread, the ends among
    them."""
    every = range(1, length)
    if len(every) <= most:
        return list(every)
    return sorted({1 + round(n * (length - 2) / (most - 1)) for n in range(most)})


class Splits(Check):
    """Each request is answered alike, however TCP segments it.

    Cut in two at each byte (at 48 places, if it is longer), byte by byte (the first 256), and
    all requests pipelined in one segment.  A piece is sent when the one before it was read.
    """

    name = "splits"
    arguments = ARGUMENTS

    @property
    def lacks(self) -> str:
        """A request to cut."""
        return "" if any(request for request, _ in self.kit.talk) else "no talk="

    def examine(self, daemon: Daemon) -> None:
        """Ask for everything again and again, each time in other pieces."""
        journal = Journal(daemon)
        caller: Conversation | None = None
        try:
            for where, pieces, reply in self._cases():
                if caller is None or self.kit.closes:
                    caller = self.kit.converse(daemon)
                    sent = 0
                try:
                    for piece in pieces:
                        caller.send(piece)
                        sent += len(piece)
                        journal.wait_received(caller.peer, sent)
                    caller.expect(reply)
                    if self.kit.closes:
                        caller.expect_end()
                except NonConformance as error:
                    raise NonConformance(f"{where}: {error}") from None
            if caller is not None and not self.kit.closes:
                self._pipeline(caller)
        finally:
            if caller is not None:
                caller.close()

    def _cases(self) -> Iterator[tuple[str, Sequence[bytes], Reply]]:
        for number, (request, reply) in enumerate(self.kit.talk):
            which = f"request {number} ({request[:20]!r})"
            if not request:
                continue
            yield f"{which} whole", [request], reply
            for cut in cuts(len(request)):
                yield f"{which} cut at byte {cut}", [request[:cut], request[cut:]], reply
            head, tail = request[:_MOST_SINGLE_BYTES], request[_MOST_SINGLE_BYTES:]
            bytewise = [bytes([byte]) for byte in head] + ([tail] if tail else [])
            yield f"{which} byte by byte", bytewise, reply

    def _pipeline(self, caller: Conversation) -> None:
        exact = [(a, b) for a, b in self.kit.talk if isinstance(b, bytes)]
        if not exact:
            return
        rounds = -(-_PIPELINED // len(exact))
        requests = b"".join(request for request, _ in exact) * rounds
        replies = b"".join(reply for _, reply in exact) * rounds
        try:
            caller.transfer(requests, replies)
            # Whatever came too much stands before the next reply.
            caller.exchange(*exact[0])
        except NonConformance as error:
            raise NonConformance(f"{rounds * len(exact)} requests pipelined: {error}") from None
