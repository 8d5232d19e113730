"""A sender of the acknowledgement protocol over a plain socket, which keeps what was acknowledged.

Written after docs/protocol-ack.md, with nothing of the project's own client: what a stranger would
write.  This module must not know what becomes of the server.
"""

from __future__ import annotations

import random
import socket
import threading
from dataclasses import dataclass, field

from tests.campaigns.filesink.records import Proof, Source

_DEADLINE = 60.0


@dataclass(eq=False)
class Stream:
    """What is known of one stream over all of its connections.

    :ivar acknowledged: bytes that the sink has said to hold; the most of what it ever said.
    """

    source: Source
    acknowledged: int = 0

    def __post_init__(self) -> None:
        self._proof = Proof(self.source)

    def learn(self, offset: int, root: str) -> None:
        """The sink says that it holds *offset* bytes, with that hash.

        :raises AssertionError: when that is less than it had said, or another hash.
        """
        name, before = self.source.name, self.acknowledged
        assert offset >= before, f"{name}: {offset} bytes after {before} were acknowledged"
        assert self._proof.root(offset).hex() == root, f"{name}: the hash of {offset} bytes"
        self.acknowledged = offset


@dataclass(eq=False)
class AckSender(threading.Thread):
    """Sends one stream until the connection breaks, or so many bytes are acknowledged.

    :ivar most: bytes of the stream after which the sender ends.
    :ivar broken: what it found wrong, if that is more than a broken connection.
    :ivar told: lines that were no receipts, such as WAIT.
    """

    port: int
    stream: Stream
    dice: random.Random
    most: int
    whole_records: bool = False
    broken: AssertionError | None = None
    done: bool = False
    error: str = ""
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def run(self) -> None:
        """Send; a break of the connection is the end."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), _DEADLINE) as connection:
                self._converse(connection)
                self.done = True
        except AssertionError as error:
            self.broken = error
        except (OSError, EOFError) as error:
            self.error = self.error or str(error)

    def _converse(self, connection: socket.socket) -> None:
        replies = connection.makefile("rb")
        assert self._line(replies).startswith("READY 1 "), "no READY"
        connection.sendall(f"STREAM {self.stream.source.name}\n".encode())
        line = self._line(replies)
        words = line.split(" ")
        if words[0] == "ERROR":
            self.error = line
            raise EOFError(line)
        assert words[:2] == ["STREAM", self.stream.source.name], words
        self.stream.learn(int(words[2]), words[3])
        at = self.stream.acknowledged
        while at < self.most:
            target = min(self.most, at + self.dice.randrange(1, 1 << 19))
            target = self.stream.source.end_of_record(target)
            writer = threading.Thread(target=self._write, args=(connection, at, target))
            writer.start()
            self._until_done(replies, target)
            writer.join()
            at = target

    def _write(self, connection: socket.socket, at: int, target: int) -> None:
        """Send up to *target*, and END; now and then what was sent before, once more."""
        source, dice = self.stream.source, self.dice
        try:
            while at < target:
                begin = max(0, at - dice.choice((0, 0, 0, 1, dice.randrange(1, 100_000))))
                end = min(target, begin + int((1 << 18) ** dice.random()))
                data = source.data(begin, end)
                connection.sendall(b"DATA %d %d\n" % (begin, len(data)) + data)
                at = max(at, end)
            connection.sendall(b"END %d\n" % target)
        except OSError as error:
            self.error = self.error or str(error)

    def _until_done(self, replies: object, target: int) -> None:
        while True:
            line = self._line(replies)
            words = line.split(" ")
            if words[0] in ("ACK", "DONE"):
                self.stream.learn(int(words[1]), words[2])
                if words[0] == "DONE":
                    assert int(words[1]) == target, line
                    return
            elif words[0] == "ERROR":
                self.error = line
                raise EOFError(line)
            else:
                self.told.append(line)

    def _line(self, replies: object) -> str:
        line = replies.readline()  # type: ignore[attr-defined]
        if not line.endswith(b"\n"):
            raise EOFError("the connection broke")
        return str(line[:-1], "ascii")
