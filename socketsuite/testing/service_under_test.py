"""What is known of a service and its protocol, and what every check does with that.

Must not know any check.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from socketsuite.testing.conversation import Connect, Conversation, Endpoint
from socketsuite.testing.daemon import TIMEOUT, Daemon
from socketsuite.testing.replies import NonConformance, Reply

MEGABYTE = 1 << 20


@dataclass(frozen=True, eq=False)
class ServiceUnderTest:
    """A service, and what its author says of its protocol; see :class:`Conformance`.

    :param name: the twistd command.
    :param args: its further arguments.  A relative path is below the folder of the check.
    :param talk: requests, each with its reply: exact bytes, a pattern that the whole reply
        matches, or a function that is given what has come and returns whether it is complete.
        Each pair must hold on every connection, in any order, and after any other.
    :param greeting: what each connection is sent first.
    :param big: returns a request whose reply is (about) that many bytes, and the reply.
    :param garbage: inputs from which wrong ones are made, besides the requests of *talk*.
    :param may_close_on_garbage: whether a connection may be closed for a wrong input.
    :param alive: an exchange that holds whatever other connections have said; by default the
        first of *talk*.
    :param closes: whether the service closes each connection after its greeting, or after
        each reply.
    :param endless: whether it speaks without being asked, so that nothing can be concluded
        from what comes behind a reply.
    :param shared: whether what one connection says changes what the others hear, as in a chat.
    :param conversation: how requests and replies travel, where they do not use one
        connection: :class:`Overheard`, or a subclass of :class:`Conversation`.
    :param most_queued: bytes that may wait for one who does not read, where the service uses
        producers; ``None`` is not judged.
    :param memory: bytes by which the process may grow beyond what the daemon's own limits
        allow it.
    :param env: environment variables to add.
    :param timeout: how long anything may take, in seconds.
    :param scale: how much of the whole is done where a check repeats; 1.0 is 10,000
        connections in the leak check.
    :param seed: of the generator that makes wrong inputs.
    """

    name: str
    args: Sequence[str] = ()
    _: KW_ONLY
    talk: Sequence[tuple[bytes, Reply]] = ()
    greeting: Reply = b""
    big: Callable[[int], tuple[bytes, bytes]] | None = None
    garbage: Sequence[bytes] = ()
    may_close_on_garbage: bool = False
    alive: tuple[bytes, Reply] | None = None
    closes: bool = False
    endless: bool = False
    shared: bool = False
    conversation: Callable[[Endpoint], Conversation] = Conversation
    most_queued: int | None = None
    memory: int = 32 * MEGABYTE
    env: Mapping[str, str] = field(default_factory=dict)
    timeout: float = TIMEOUT
    scale: float = 0.1
    seed: int = 1

    def __str__(self) -> str:
        return self.name

    def start(self, folder: Path, *arguments: str) -> Daemon:
        """Return the service, ready, with its own and further arguments, on a free port.

        :raises NonConformance: with its own words, when it does not start.
        """
        daemon = Daemon(
            folder,
            self.name,
            *("--port", "0", "--interface", "127.0.0.1"),
            *self.args,
            *arguments,
            env=self.env,
            timeout=max(self.timeout, TIMEOUT),
        )
        try:
            daemon.wait_until_ready()
        except AssertionError:
            daemon.kill()
            last = (daemon.errors or daemon.log).strip().splitlines()[-1:]
            raise NonConformance(f"does not start: {''.join(last)}") from None
        daemon.timeout = self.timeout
        return daemon

    def converse(self, daemon: Daemon, connect: Connect | None = None) -> Conversation:
        """Return a new conversation, greeted.

        :param connect: returns a connection; by default over TCP.
        :raises NonConformance: when it is not greeted as it should be.
        """
        connect = connect or daemon.connect
        return self.conversation(Endpoint(connect, self.greeting, self.timeout, daemon.folder))

    def prove_alive(self, daemon: Daemon, connect: Connect | None = None) -> None:
        """Make the *alive* exchange on a new connection.

        Where nothing is known of the protocol, the daemon's word that the connection was let
        in must do.

        :raises NonConformance: when the service does not answer as it should.
        """
        told = len(daemon.lines)
        with self.converse(daemon, connect) as caller:
            if self.plainest is not None:
                caller.exchange(*self.plainest)
            elif not self.greeting:
                daemon.wait_for_line(r" connected transport=", told)
            if self.closes and not self.endless:
                caller.expect_end()

    @property
    def plainest(self) -> tuple[bytes, Reply] | None:
        """The exchange that always holds: *alive*, or the first of *talk*."""
        return self.alive or next(iter(self.talk), None)

    def flooding(self) -> bytes:
        """Return what a caller who floods the service says again and again."""
        return next((request for request, _ in self.talk if request), b"flood\r\n")

    def connect_narrow(self, daemon: Daemon) -> socket.socket:
        """Return a connection for which the kernels hold little."""
        return daemon.connect(narrow=True)
