"""One caller's side of a connection: requests out, exact replies in, with a deadline.

Must not know what is checked.  A protocol whose replies go elsewhere than to the caller has a
conversation of its own: :class:`Overheard`, or a subclass.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from socketsuite.testing.replies import NonConformance, Reply, expected, is_complete, shown
from socketsuite.testing.sockets import reset

Connect = Callable[[], socket.socket]
_CHUNK = 1 << 18


@dataclass(frozen=True)
class Endpoint:
    """Where a conversation takes place.

    :ivar connect: returns a new connection with a deadline.
    :ivar greeting: what each connection is sent first.
    :ivar timeout: how long a reply may take, in seconds.
    :ivar folder: the daemon's current folder.
    """

    connect: Connect
    greeting: Reply
    timeout: float
    folder: Path


class Conversation:
    """A connection that has been greeted.

    :ivar socket: what requests are sent by.
    :ivar ear: what replies are read from.
    :ivar unsent: what is still to be sent of the request that was begun.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.unsent = memoryview(b"")
        self._finish_behind = False
        self._opened: list[socket.socket] = []
        try:
            self.open()
        except BaseException:
            self.close()
            raise

    def open(self) -> None:
        """Connect; to be overridden where one connection is not enough."""
        self.socket = self.ear = self.greeted()

    def greeted(self) -> socket.socket:
        """Return a new connection whose greeting has been read; it is closed with the rest."""
        made = self.endpoint.connect()
        self._opened.append(made)
        self.ear = made
        self.expect(self.endpoint.greeting)
        return made

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def peer(self) -> str:
        """How the daemon's log calls the caller; IPv4."""
        return "{}:{}".format(*self.socket.getsockname())

    def send(self, data: bytes) -> None:
        """Send all of *data*.

        :raises NonConformance: when the service has closed, or does not read.
        """
        with self._in_words(f"taken {shown(data)}"):
            self.socket.sendall(data)

    def finish(self) -> None:
        """Close our half."""
        with self._in_words("kept the connection"):
            self.socket.shutdown(socket.SHUT_WR)

    def expect(self, reply: Reply) -> None:
        """Read *reply*, and nothing behind it where it is exact bytes.

        :raises NonConformance: when something else comes, or nothing in time.
        """
        said = b""
        wanted = len(reply) if isinstance(reply, bytes) else 0
        deadline = time.monotonic() + self.endpoint.timeout
        while not is_complete(reply, said):
            late = time.monotonic() > deadline
            count = wanted - len(said) if wanted else _CHUNK
            piece = b"" if late else self._piece(count, f"sent {expected(reply)}")
            if not piece:
                raise NonConformance(
                    f"{'no reply in time' if late else 'closed before the reply'}:"
                    f" {shown(said)} in place of {expected(reply)}"
                )
            said += piece

    def exchange(self, request: bytes, reply: Reply) -> None:
        """Send *request* and read *reply*."""
        if request:
            self.send(request)
        self.expect(reply)

    def expect_end(self) -> None:
        """Read the service's FIN, and nothing before it."""
        piece = self._piece(_CHUNK, "closed in order")
        if piece:
            raise NonConformance(f"{shown(piece)} came behind the whole reply")

    def is_ended(self) -> bool:
        """Return whether the service has closed the connection by now; reads nothing."""
        try:
            return bool(self._readable() and not self.socket.recv(1, socket.MSG_PEEK))
        except ConnectionError:
            return True

    def ends(self) -> bool:
        """Return whether the service closes the connection in time; what it still sends is
        dropped.

        Who hears the replies on another connection may see that one closed a moment before.
        """
        deadline = time.monotonic() + self.endpoint.timeout
        try:
            while self.socket.recv(_CHUNK):
                if time.monotonic() > deadline:
                    return False
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True

    def transfer(self, data: bytes, reply: bytes, *, finish: bool = False) -> None:
        """Send *data* and read *reply* at the same time, as fast as the service lets us.

        :param finish: close our half behind *data*.
        :raises NonConformance: as :meth:`expect`.
        """
        self.begin(data, finish=finish)
        self.read(reply)
        while self.unsent:
            if not self.push(self.endpoint.timeout):
                raise NonConformance(f"it has left {len(self.unsent)} bytes of the request unread")

    def begin(self, data: bytes, *, finish: bool = False) -> None:
        """Send what is taken of *data* at once; the rest is :attr:`unsent`, see :meth:`push`."""
        self.unsent = memoryview(data)
        self._finish_behind = finish
        if finish and not data:
            self.finish()
        while self.unsent and self.push():
            pass

    def push(self, seconds: float = 0.0) -> bool:
        """Send more of :attr:`unsent`, and return whether any was taken within *seconds*."""
        writable = [self.socket] if self.unsent else []
        if not select.select([], writable, [], seconds)[1]:
            return False
        with self._in_words("read the request"):
            self.unsent = self.unsent[self.socket.send(self.unsent[:_CHUNK]) :]
        if self._finish_behind and not self.unsent:
            self.finish()
        return True

    def read(self, reply: bytes) -> None:
        """Read exact bytes, as many as there may be, and send meanwhile what is unsent.

        :raises NonConformance: as :meth:`expect`.
        """
        heard, total = 0, len(reply)
        deadline = time.monotonic() + self.endpoint.timeout
        while heard < total:
            writable = [self.socket] if self.unsent else []
            wait = max(0.0, deadline - time.monotonic())
            readable, writable, _ = select.select([self.ear], writable, [], wait)
            if not readable and not writable:
                raise NonConformance(f"stalled behind {heard} of {total} bytes of the reply")
            if writable:
                self.push()
            if not readable:
                continue
            piece = self._piece(total - heard, f"sent {total} bytes, but {heard}")
            if not piece:
                raise NonConformance(f"closed behind {heard} of {total} bytes of the reply")
            if piece != reply[heard : heard + len(piece)]:
                is_complete(reply, reply[:heard] + piece)
            heard += len(piece)
            deadline = time.monotonic() + self.endpoint.timeout

    def close(self) -> None:
        """Close every connection, in the ordinary way."""
        for one in self._opened:
            one.close()
        self._opened.clear()

    def reset(self) -> None:
        """Close the caller's connection by RST, and the others in the ordinary way."""
        reset(self.socket)
        self.close()

    def _readable(self) -> bool:
        return bool(select.select([self.socket], [], [], 0)[0])

    def _piece(self, count: int, what: str) -> bytes:
        with self._in_words(what):
            return self.ear.recv(min(count, _CHUNK))

    @contextlib.contextmanager
    def _in_words(self, what: str) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise NonConformance(f"has not {what} in {self.endpoint.timeout:g} s") from None
        except OSError as error:
            raise NonConformance(f"has not {what}: {error.strerror or error}") from None


class Overheard(Conversation):
    """For services whose replies go to the other connections, as a chat's: a second one listens.

    It has been greeted before the first one connects, so that it hears everything; the kit
    needs a greeting for that.
    """

    def open(self) -> None:
        """Connect the listener, then the speaker."""
        listener = self.greeted()
        self.socket = self.greeted()
        self.ear = listener
