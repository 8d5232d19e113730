"""One source into one stream, over as many connections as it takes.

What the server says is held against our own bytes: where it begins, and every receipt.  This module
must not know how a connection is made, nor when another one is tried.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from socketsuite.cli.sending.connection import AckConnection
from socketsuite.cli.sending.leaves import HashedStream
from socketsuite.cli.sending.receipts_file import ReceiptsFile
from socketsuite.cli.sending.sources import Source
from socketsuite.transport.dial.failed import Failed
from socketsuite.wire.acks import Ack, Data, Done, End, Go, Held, Stream, Wait, signed_text
from socketsuite.wire.receipts import Leaf, Receipt

_PIECE = 1 << 18
_BYTES_A_TURN = 4 << 20
_SPOOLED_IN_MEMORY = 1 << 20


@dataclass
class Tally:
    """What all transfers of a run came to so far.

    :ivar sent: bytes of DATA, those sent again counted again.
    :ivar acked: bytes that are known to be durable.
    :ivar skipped: those of them that the sink held already.
    :ivar resumed: how often a transfer went on after a break.
    """

    sent: int = 0
    acked: int = 0
    skipped: int = 0
    resumed: int = 0


class Transfer:
    """A source on its way into a stream.

    :ivar acked: how many of the source's bytes are known to be durable.
    :param append: whether to begin where the stream ends; its bytes cannot be compared then.
    :param say: is told, in a sentence, what a person may want to know.
    :param progressed: called when the server has shown that it is at work.
    """

    def __init__(
        self,
        reactor: Any,
        source: Source,
        stream: str,
        tally: Tally,
        *,
        append: bool,
        receipts: ReceiptsFile | None,
        say: Callable[[str], None],
        progressed: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._source = source
        self.stream = stream
        self._tally = tally
        self._append = append
        self._receipts = receipts
        self._say = say
        self._progressed = progressed
        self._hashed = HashedStream(stream, None if receipts is None else self._keep_leaf)
        # The lines of leaves wait for the receipt that proves them.
        self._leaves = tempfile.SpooledTemporaryFile(_SPOOLED_IN_MEMORY)  # noqa: SIM115
        self._base: int | None = None
        self._position = 0
        self.acked = 0
        self.hash = b""

    @property
    def _compares(self) -> bool:
        return self._base == 0

    def close(self) -> None:
        """Let go of the files."""
        self._source.close()
        self._leaves.close()

    async def attempt(self, connection: AckConnection) -> None:
        """Send what is left; return when all of it is durable.

        :raises Failed: when that did not come to pass; the connection is of no more use then.
        """
        self._source.open(self._reactor)
        connection.write(Stream(self.stream).encode())
        while not isinstance(held := await connection.reply(), Held):
            self._listen(held)
        await self._meet(held)
        sending = Deferred.fromCoroutine(self._send(connection))
        sending.addErrback(_stop, connection)
        try:
            while not isinstance(reply := await connection.reply(), Done):
                if isinstance(reply, Ack):
                    await self._acknowledged(connection, reply)
                else:
                    self._listen(reply)
            await self._acknowledged(connection, reply)
        finally:
            sending.cancel()
        if self.acked != self._source.end:
            raise _bad_receipt(f"DONE came at {self.acked:,} bytes, before the end")

    def _listen(self, reply: object) -> None:
        match reply:
            case Wait(reason):
                self._progressed()
                self._say(f"the server waits ({reason}); nothing is lost")
            case Go():
                self._progressed()
                self._say("the server goes on")
            case _:
                name = type(reply).__name__
                raise Failed(f"the server said {name} where nobody asked", "protocol")

    async def _meet(self, held: Held) -> None:
        """Find out where to go on, and whether the sink holds what we would have sent."""
        if held.id != self.stream:
            raise Failed("the server speaks of another stream", "protocol")
        first = self._base is None
        if self._base is None:
            self._base = held.offset if self._append else 0
        else:
            self._tally.resumed += 1
        at = held.offset - self._base
        if at < self.acked:
            raise Failed(
                f"the sink holds {at:,} bytes of {self.stream}, and had acknowledged"
                f" {self.acked:,}: it has lost some, or begun anew",
                "other-bytes",
            )
        if self._compares:
            await self._hash_up_to(at, "the sink holds")
            if self._hashed.root() != held.hash:
                raise Failed(
                    f"the sink holds {at:,} other bytes as stream {self.stream}, not the first of"
                    f" {self._source.name}; --stream ID chooses another stream",
                    "other-bytes",
                )
        if first:
            self._tally.skipped += at
        self._durable(at)
        self._position = at
        self.hash = held.hash

    async def _send(self, connection: AckConnection) -> None:
        assert self._base is not None
        source = self._source
        most = min(connection.greeting.most, _PIECE)
        while True:
            await connection.writable()
            data = source.read(self._position, most)
            if data:
                connection.write(Data(self._base + self._position, len(data)).encode(), data)
                self._position += len(data)
                self._tally.sent += len(data)
            elif source.end is not None and self._position >= source.end:
                connection.write(End(self._base + self._position).encode())
                return
            else:
                await source.more()

    async def _acknowledged(self, connection: AckConnection, ack: Ack) -> None:
        assert self._base is not None
        at = ack.offset - self._base
        if not self.acked <= at <= self._position:
            raise _bad_receipt(
                f"{at:,} bytes acknowledged, where {self._position:,} were sent"
                f" and {self.acked:,} acknowledged before"
            )
        key = connection.greeting.key
        if key is not None and not _is_signed(key, self.stream, ack):
            raise _bad_receipt("its signature is not that of the key the server has announced")
        if self._compares:
            await self._hash_up_to(at, "the sink acknowledges")
            if self._hashed.root() != ack.hash:
                raise _bad_receipt(
                    f"its hash is not that of the first {at:,} bytes of {self._source.name}"
                    " (or the file has changed meanwhile)"
                )
        else:
            self._source.release(at)
        self._durable(at)
        self.hash = ack.hash
        if self._receipts is not None:
            self._write_receipt(self._receipts, key, ack)

    def _durable(self, at: int) -> None:
        if at > self.acked or not self.hash:
            self._progressed()
        self._tally.acked += at - self.acked
        self.acked = at

    async def _hash_up_to(self, at: int, who: str) -> None:
        """Hash our own bytes up to *at*; others have their turns meanwhile."""
        left = _BYTES_A_TURN
        while (have := self._hashed.size) < at:
            data = self._source.read(have, min(at - have, _PIECE))
            if data:
                self._hashed.feed(data)
                left -= len(data)
                self._source.release(self._hashed.size)
                if left <= 0:
                    left = _BYTES_A_TURN
                    await deferLater(self._reactor, 0)
            elif self._source.end is not None and have >= self._source.end:
                raise Failed(
                    f"{who} {at:,} bytes of stream {self.stream}, and {self._source.name} has"
                    f" {have:,}; --stream ID chooses another stream",
                    "other-bytes",
                )
            else:
                await self._source.more()

    def _keep_leaf(self, leaf: Leaf) -> None:
        self._leaves.write(leaf.encode())

    def _write_receipt(self, receipts: ReceiptsFile, key: bytes | None, ack: Ack) -> None:
        if isinstance(ack, Done) and self._compares:
            self._hashed.record_last()
        self._leaves.seek(0)
        while lines := self._leaves.read(_SPOOLED_IN_MEMORY):
            receipts.write(lines)
        self._leaves.seek(0)
        self._leaves.truncate()
        receipts.use_key(key)
        receipt = Receipt(self.stream, ack.offset, ack.hash, ack.time, ack.signature)
        receipts.write(receipt.encode())


def _stop(failure: Failure, connection: AckConnection) -> None:
    """Have whoever waits for a reply told why nothing more is sent."""
    if not failure.check(CancelledError):
        assert isinstance(failure.value, Exception)
        connection.fail(failure.value)


def _bad_receipt(text: str) -> Failed:
    return Failed(f"the server's receipt is wrong: {text}", "bad-receipt")


def _is_signed(key: bytes, stream: str, ack: Ack) -> bool:
    if ack.signature is None:
        return False
    text = signed_text(stream, ack.offset, ack.hash, ack.time)
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(ack.signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True
