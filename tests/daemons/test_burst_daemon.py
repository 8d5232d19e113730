"""The burst transport in a real daemon: idle costs nothing, busy starves nobody."""

from __future__ import annotations

import contextlib
import itertools
import re
import resource
import select
import socket
import threading
import time
from pathlib import Path

import pytest

from socketsuite.testing import Daemon, read_exactly, read_line
from socketsuite.transport import compiled
from tests.daemons.conftest import Start

COMPILED = "compiled" if compiled.AVAILABLE else "python"


def cpu_seconds(daemon: Daemon) -> float:
    used = Path(f"/proc/{daemon.process.pid}/schedstat").read_text().split()[0]
    return int(used) / 1e9


def test_thousands_of_idle_connections_use_no_cpu(serve: Start) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    many = min(5000, hard - 100)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, many + 100)), hard))
    daemon = serve("socketsuite-echo", "--no-udp")
    callers = []
    try:
        for number in range(many):
            callers.append(daemon.connect())
            if number % 200 == 199:
                callers[-1].sendall(b"x")
                assert read_exactly(callers[-1], 1) == b"x"
        before = cpu_seconds(daemon)
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            select.select([], [], [], deadline - time.monotonic())
        assert cpu_seconds(daemon) - before < 0.02
    finally:
        for caller in callers:
            caller.close()


def test_a_timer_is_on_time_while_echoes_saturate_the_daemon(launch: Start, tmp_path: Path) -> None:
    """The accumulator's pushes, every 50 ms, in one process with an echo under full load."""
    config = tmp_path / "both.toml"
    config.write_text("[echo]\nport = 0\nudp = false\n[accumulator]\nport = 0\ninterval = 0.05\n")
    daemon = launch("socketsuite", "--config", str(config)).wait_until_ready()
    ports = {
        name: int(daemon.wait_for_line(rf"{name} listening .*127.0.0.1 port=(\d+)")[1])
        for name in ("echo", "accumulator")
    }
    over = threading.Event()
    crowd = threading.Thread(target=_saturate, args=(ports["echo"], over), daemon=True)
    crowd.start()
    with socket.create_connection(("127.0.0.1", ports["accumulator"]), 20) as caller:
        caller.settimeout(20)
        arrived = []
        for _ in range(40):
            read_exactly(caller, 4)
            arrived.append(time.monotonic())
    over.set()
    crowd.join()
    steps = sorted(later - earlier for earlier, later in itertools.pairwise(arrived))
    assert steps[len(steps) // 2] == pytest.approx(0.05, abs=0.02)
    assert steps[-3] < 0.05 + 0.04


def _saturate(port: int, over: threading.Event) -> None:
    callers = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    poll = select.epoll()
    by_number = {caller.fileno(): caller for caller in callers}
    for caller in callers:
        caller.setblocking(False)
        poll.register(caller, select.EPOLLIN)
        caller.send(b"x" * 1024)
    while not over.is_set():
        for number, _ in poll.poll(0.1):
            with contextlib.suppress(BlockingIOError):
                by_number[number].send(by_number[number].recv(1 << 16))
    for caller in callers:
        caller.close()


@pytest.mark.parametrize(
    ("flags", "environment", "io", "of_udp"),
    [
        ((), {}, COMPILED + "+io_uring" if compiled.io_uring() else COMPILED, COMPILED),
        ((), {"SOCKETSUITE_NO_IO_URING": "1"}, COMPILED, COMPILED),
        ((), {"SOCKETSUITE_PURE": "1"}, "python", "python"),
        (("--transport", "burst-pure"), {}, "python", "python"),
        (("--transport", "twisted"), {}, "twisted", "python"),
    ],
)
def test_the_listening_line_and_the_status_tell_what_reads_and_writes(
    serve: Start,
    monkeypatch: pytest.MonkeyPatch,
    flags: tuple[str, ...],
    environment: dict[str, str],
    io: str,
    of_udp: str,
) -> None:
    for name in ("SOCKETSUITE_PURE", "SOCKETSUITE_NO_IO_URING"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    daemon = serve("socketsuite-echo", "--admin", "admin", *flags)
    expected = {"tcp": io, "udp": of_udp}
    for transport, name in expected.items():
        assert daemon.has_line(rf" listening transport={transport} .* io={re.escape(name)}$")
    (service,) = daemon.ask()["services"]
    assert {(one["transport"], one["io"]) for one in service["listeners"]} == set(expected.items())


def test_the_stock_transport_serves_the_same(serve: Start) -> None:
    daemon = serve("socketsuite-echo", "--transport", "twisted")
    with daemon.connect() as caller:
        caller.sendall(b"hello\n")
        assert read_line(caller) == b"hello\n"
    line = daemon.wait_for_line("closed transport=tcp").string
    assert re.search(r"bytes_in=6 bytes_out=6 .*reason=closed_by_peer", line)
