"""The accumulator: one sum for everybody, told to each at its own rhythm."""

from __future__ import annotations

import select
import socket
import struct
import time

import pytest

from socketsuite.testing import Daemon, read_all, read_exactly
from tests.daemons.conftest import Start
from tests.support.outside import NODE, SECONDS, at_work
from tests.support.peers import program

HIGHEST = (1 << 31) - 1
LOWEST = -(1 << 31)
INTERVAL = 0.05


@pytest.fixture
def accumulator(serve: Start) -> Daemon:
    return serve("socketsuite-accumulator", "--interval", str(INTERVAL))


def packed(*integers: int) -> bytes:
    return struct.pack(f"<{len(integers)}i", *integers)


def hears(client: socket.socket, expected: int, code: str = "<i") -> None:
    """Read sums until the expected one comes."""
    end = time.monotonic() + SECONDS
    value = None
    while value != expected and time.monotonic() < end:
        (value,) = struct.unpack(code, read_exactly(client, struct.calcsize(code)))
    assert value == expected


def reference_run(accumulator: Daemon) -> tuple[list[int], float]:
    """Run the reference client ten times as fast as the original.

    It sends n at (n + 1.5) tenths of a second after its connect, and hears a sum every
    three tenths.  Returned are the nine sums, and how late the latest sending was.
    """
    sums = []
    latest = 0.0
    with accumulator.connect() as client:
        started = time.monotonic()
        for n in range(28):
            due = started + (n + 1.5) * 0.1
            while select.select([client], [], [], max(0.0, due - time.monotonic()))[0]:
                sums.append(struct.unpack("<i", read_exactly(client, 4))[0])
            latest = max(latest, time.monotonic() - due)
            client.sendall(packed(n))
    return sums, latest


def test_the_reference_run_hears_the_reference_sums(serve: Start) -> None:
    for _ in range(3):
        accumulator = serve("socketsuite-accumulator", "--interval", "0.3")
        sums, latest = reference_run(accumulator)
        if latest < 0.04:
            break  # the machine was fast enough for this run to mean something
    assert sums == [1, 10, 28, 55, 91, 136, 190, 253, 325]


def test_the_first_sum_comes_one_interval_after_the_clients_own_connect(serve: Start) -> None:
    accumulator = serve("socketsuite-accumulator", "--interval", "0.5")
    with accumulator.connect() as early:
        # Out of step with the one before: nothing comes within these 0.2 seconds.
        assert select.select([early], [], [], 0.2)[0] == []
        started = time.monotonic()
        with accumulator.connect() as late:
            read_exactly(late, 4)
            assert time.monotonic() - started >= 0.49


def test_integers_that_come_byte_by_byte_are_counted(serve: Start) -> None:
    arguments = ("--interval", str(INTERVAL), "--log-data", "sizes")
    accumulator = serve("socketsuite-accumulator", *arguments)
    with accumulator.connect() as one, accumulator.connect() as two:
        # Part of an integer of one client never becomes part of another's.
        for both in zip(packed(70_000, -3), packed(1 << 24, 255), strict=True):
            for client, byte in zip((one, two), both, strict=True):
                start = len(accumulator.lines)
                client.sendall(bytes([byte]))
                accumulator.wait_for_line("received .*bytes=1$", start)
        total = 70_000 - 3 + (1 << 24) + 255
        hears(one, total)
        hears(two, total)


def test_a_hundred_thousand_integers_in_one_go_are_counted(accumulator: Daemon) -> None:
    with accumulator.connect() as client:
        client.sendall(packed(*range(-40_000, 60_000)))
        hears(client, sum(range(-40_000, 60_000)))


def test_the_sum_outlives_the_clients_who_made_it(accumulator: Daemon) -> None:
    for number in range(10):
        with accumulator.connect() as client:
            client.sendall(packed(number))
            hears(client, sum(range(number + 1)))
    assert accumulator.stop() == 0
    assert "Traceback" not in accumulator.log


def test_part_of_an_integer_counts_for_nothing(accumulator: Daemon) -> None:
    with accumulator.connect() as leaver:
        leaver.sendall(packed(5) + b"\xff\xff")
        hears(leaver, 5)
    with accumulator.connect() as client:
        client.sendall(packed(2))
        hears(client, 7)


def test_by_default_the_sum_wraps(accumulator: Daemon) -> None:
    with accumulator.connect() as client:
        client.sendall(packed(HIGHEST, 1))
        hears(client, LOWEST)
        client.sendall(packed(-1))
        hears(client, HIGHEST)


def test_a_saturated_sum_stays_at_the_limit_and_comes_back_exact(serve: Start) -> None:
    accumulator = serve(
        "socketsuite-accumulator", "--interval", str(INTERVAL), "--overflow", "saturate"
    )
    with accumulator.connect() as client:
        client.sendall(packed(HIGHEST, 5))
        hears(client, HIGHEST)
        client.sendall(packed(-7))
        hears(client, HIGHEST - 2)
        client.sendall(packed(LOWEST, LOWEST))
        hears(client, LOWEST)


def test_an_overflow_can_close_the_connection_and_not_the_daemon(serve: Start) -> None:
    accumulator = serve(
        "socketsuite-accumulator", "--interval", str(INTERVAL), "--overflow", "close"
    )
    with accumulator.connect() as client:
        client.sendall(packed(HIGHEST, 1))
        assert read_all(client).strip(b"\0") == b""
    with accumulator.connect() as client:
        client.sendall(packed(-1))
        hears(client, HIGHEST)
    assert accumulator.stop() == 0
    assert "Traceback" not in accumulator.log


def test_integers_may_have_64_bits(serve: Start) -> None:
    accumulator = serve("socketsuite-accumulator", "--interval", str(INTERVAL), "--width", "64")
    with accumulator.connect() as client:
        client.sendall(struct.pack("<3q", 1 << 40, 1 << 40, -3))
        hears(client, (1 << 41) - 3, "<q")


def test_a_node_client_hears_the_sum(accumulator: Daemon) -> None:
    numbers = (-5, 100_000, 7, LOWEST, HIGHEST)
    command = [program("node"), str(NODE / "accumulate.js"), str(accumulator.port())]
    with at_work(*command, *map(str, numbers)) as shown, shown.makefile() as lines:
        end = time.monotonic() + SECONDS
        heard = [0]
        while heard[-1] != sum(numbers) and time.monotonic() < end:
            heard.append(int(lines.readline()))
        assert heard[-1] == sum(numbers)


def test_a_person_gets_the_sum_from_nc(accumulator: Daemon) -> None:
    with at_work(program("nc.openbsd"), "127.0.0.1", str(accumulator.port())) as terminal:
        terminal.sendall(packed(11))
        hears(terminal, 11)


def test_who_has_closed_its_half_is_not_held_by_the_pushes(accumulator: Daemon) -> None:
    with accumulator.connect() as client:
        client.sendall(packed(3))
        client.shutdown(socket.SHUT_WR)
        assert len(read_all(client)) <= 2 * len(packed(0))
