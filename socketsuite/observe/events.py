"""The events of a daemon's life, and the list of those who listen.

The daemon emits, and never logs: the log, the metrics and the status page each subscribe.
An event carries facts, not words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from socketsuite.service import MAIN


@dataclass(frozen=True, slots=True)
class Listening:
    """A socket of *service* is open: *transport* is ``tcp``, ``tls``, ``udp`` or ``unix``.

    *io* is what reads and writes there: ``compiled+io_uring``, ``compiled`` or ``python`` (the
    burst transport, and for UDP a port like it), or ``twisted``; nothing where nobody says.

    Here and below, *frontend* is the name of the one that the socket belongs to.
    """

    service: str
    transport: str
    address: str
    port: int | None
    family: str
    frontend: str = MAIN
    io: str | None = None


# Facts too, that nobody changes; but Python takes five times as long to make what is frozen, and
# these are made for each connection.
@dataclass(slots=True, unsafe_hash=True)
class Connected:
    """A peer has been let in."""

    service: str
    transport: str
    peer: str
    local: str
    frontend: str = MAIN


@dataclass(slots=True, unsafe_hash=True)
class Closed:
    """A connection that was let in is over: bytes each way, *duration* in seconds, and why.

    *reason* and *detail* are those of a :class:`~socketsuite.reasons.Reason`.
    """

    service: str
    transport: str
    peer: str
    bytes_in: int
    bytes_out: int
    duration: float
    reason: str
    detail: str | None = None
    frontend: str = MAIN


@dataclass(frozen=True, slots=True)
class Refused:
    """A peer was not let in, or its datagram not answered.

    *reason* and *detail* are those of a :class:`~socketsuite.reasons.Reason`.
    """

    service: str
    transport: str
    peer: str
    reason: str
    detail: str | None = None
    frontend: str = MAIN


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes came in, when somebody asked to be told (``--log-data``)."""

    service: str
    transport: str
    peer: str
    data: bytes
    frontend: str = MAIN


@dataclass(frozen=True, slots=True)
class Draining:
    """The daemon has stopped accepting and lets *connections* finish for *timeout* seconds."""

    service: str
    connections: int
    timeout: float


@dataclass(frozen=True, slots=True)
class Stopped:
    """The daemon has closed everything; *aborted* connections did not finish in time."""

    service: str
    aborted: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Something an operator should know, in one line."""

    service: str
    text: str
    level: str = "info"


@dataclass(frozen=True, slots=True)
class OwnEvent:
    """Something that the service itself tells of: the name of its event, and the fields of that.

    Both are fit to be logged.
    """

    service: str
    name: str
    values: Mapping[str, str | int | float | bool | None]
    level: str = "info"


Event = Listening | Connected | Closed | Refused | Received | Draining | Stopped | Notice | OwnEvent
Subscriber = Callable[[Event], None]


@dataclass(eq=False)
class Events:
    """The meeting point of one daemon: it emits, subscribers are called in their order."""

    subscribers: list[Subscriber] = field(default_factory=list)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call *subscriber* with every event from now on."""
        self.subscribers.append(subscriber)

    def emit(self, event: Event) -> None:
        """Tell every subscriber."""
        for subscriber in self.subscribers:
            subscriber(event)
