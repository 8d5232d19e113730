"""Protocols that bring the buffer that they are read into."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol

from socketsuite.transport.burst import burst_of
from tests.transport.plain_port import PlainPort, plain_port

__all__ = ["plain_port"]


class Recorder(Protocol):
    """Keeps every instance and what happened to it."""

    transport: Any

    def __init__(self, made: list[Any]) -> None:
        self.received = b""
        self.lost: list[Any] = []
        made.append(self)

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason)


def test_a_buffer_without_room_costs_its_own_connection(plain_port: PlainPort) -> None:
    made: list[Any] = []

    class Broken(Recorder):
        def get_buffer(self) -> memoryview:
            return memoryview(b"")

    plain_port.listen(lambda: Broken(made))
    caller = plain_port.call()
    plain_port.until(lambda: made)
    caller.sendall(b"x")
    plain_port.until(lambda: made[0].lost)
    assert not made[0].received


def test_who_has_a_large_buffer_gets_all_that_is_there_and_fewer_of_them_make_a_burst(
    plain_port: PlainPort,
) -> None:
    made: list[Any] = []
    kinds: set[type] = set()

    buffer = memoryview(bytearray(1 << 19))

    class Buffered(Recorder):
        def get_buffer(self) -> memoryview:
            return buffer

        def dataReceived(self, data: Any) -> None:
            kinds.add(type(data))
            super().dataReceived(bytes(data))

    plain_port.listen(lambda: Buffered(made))
    callers = [plain_port.call() for _ in range(40)]
    plain_port.until(lambda: len(made) == 40)
    burst, lengths = burst_of(plain_port.reactor), []
    own = burst.read_each

    def read(ready: list[tuple[int, int]]) -> None:
        lengths.append(len(ready))
        own(ready)

    burst.read_each = read  # type: ignore[method-assign]
    for caller in callers:
        caller.sendall(b"first")
    plain_port.until(lambda: all(one.received for one in made))
    # From here on it is known that reads are large ones.
    lengths.clear()
    for caller in callers:
        caller.sendall(b"x" * 20_000)
    plain_port.until(lambda: all(len(one.received) == 20_005 for one in made))
    assert max(lengths) <= 16
    assert kinds == {memoryview}
    assert all(one.transport.bytes_in == 20_005 for one in made)
