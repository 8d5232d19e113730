"""A thousand peers at once: when the daemon ends, while they say nothing, and as a flood."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from socketsuite.testing import Daemon, read_exactly
from tests.daemons.conftest import Start
from tests.daemons.crowd import (
    BACKLOG,
    Stopwatch,
    as_many_descriptors_as_allowed,
    call,
    descriptors,
    until_ended,
    until_gone,
)

_SECONDS = 20.0
QUEUE = Path("/proc/sys/net/core/somaxconn")

TRANSPORTS = pytest.mark.parametrize(
    "transport", ["burst", pytest.param("twisted", marks=pytest.mark.thorough)]
)


@pytest.fixture(autouse=True)
def many() -> Iterator[None]:
    with as_many_descriptors_as_allowed():
        yield


class Pulse:
    """One caller of an echo, who is answered all the time, and how soon."""

    def __init__(self, daemon: Daemon, caller: socket.socket) -> None:
        self.caller = caller
        self.seconds: list[float] = []
        self._watch = Stopwatch(daemon)

    def beat(self) -> None:
        began = self._watch.seconds()
        self.caller.sendall(b"?")
        assert read_exactly(self.caller, 1) == b"?"
        self.seconds.append(self._watch.seconds() - began)


# ── the end of the daemon ───────────────────────────────────────────────────────────────


def answers(callers: list[socket.socket], words: list[bytes]) -> list[bytes]:
    """Return what each of *callers* hears until it has been logged *words*, or is left."""
    heard = {caller: bytearray() for caller in callers}
    wanted = dict(zip(callers, words, strict=True))
    with select.epoll() as poll:
        by_number = {caller.fileno(): caller for caller in callers}
        for number in by_number:
            poll.register(number, select.EPOLLIN)
        while by_number:
            ready = poll.poll(_SECONDS)
            assert ready, f"{len(by_number)} are left without an answer"
            for number, _ in ready:
                caller = by_number[number]
                piece = caller.recv(1 << 16)
                heard[caller] += piece
                if not piece or len(heard[caller]) >= len(wanted[caller]):
                    poll.unregister(number)
                    del by_number[number]
    return [bytes(heard[caller]) for caller in callers]


@TRANSPORTS
def test_at_sigterm_everybody_of_a_thousand_is_told_all_and_nobody_holds_up_the_end(
    serve: Start, transport: str
) -> None:
    more = ("--no-udp", "--transport", transport, "--drain-timeout", "2", *BACKLOG)
    daemon = serve("socketsuite-echo", *more)
    port = daemon.port()
    silent = [call(port) for _ in range(250)]
    deaf = [call(port, narrow=True) for _ in range(250)]
    done, talking = ([call(port) for _ in range(250)] for _ in range(2))
    # The last one is answered: all of them are in.
    Pulse(daemon, talking[-1]).beat()
    for caller in deaf:
        caller.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                caller.send(bytes(1 << 16))
    words = [number.to_bytes(4, "big") * 12_000 for number in range(500)]
    for caller, word in zip(done + talking, words, strict=True):
        caller.sendall(word)
    for caller in done:
        caller.shutdown(socket.SHUT_WR)

    daemon.send_signal(signal.SIGTERM)
    daemon.wait_for_line("draining connections=")
    with pytest.raises(ConnectionRefusedError):
        daemon.connect()
    assert answers(done + talking, words) == words
    # One half goes on, and is heard; the other has been logged all there is.
    for caller in talking[::2]:
        caller.sendall(b"and more")
        caller.shutdown(socket.SHUT_WR)
    assert answers(talking[::2], [b"and more"] * 125) == [b"and more"] * 125
    for caller in done + talking[::2]:
        assert caller.recv(1) == b""
    assert until_ended(daemon, 2 + 1) == 0
    # The silent, the deaf, and those who talk and do not hang up.
    assert "stopped aborted=625" in daemon.log
    assert "Traceback" not in daemon.log + daemon.errors
    for caller in silent + deaf + done + talking:
        caller.close()


@TRANSPORTS
def test_those_who_called_before_sigterm_and_were_not_accepted_yet_are_answered(
    serve: Start, transport: str
) -> None:
    """The kernel has taken their bytes, and would answer with RST when the port closes."""
    many = min(1000, int(QUEUE.read_text()))
    daemon = serve("socketsuite-echo", "--no-udp", "--transport", transport, *BACKLOG)
    daemon.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, daemon.process.pid, os.WSTOPPED)
    words = [number.to_bytes(4, "big") for number in range(many)]
    callers = []
    for word in words:
        callers.append(call(daemon.port()))
        callers[-1].sendall(word)
        callers[-1].shutdown(socket.SHUT_WR)
    daemon.send_signal(signal.SIGTERM)
    daemon.send_signal(signal.SIGCONT)
    assert answers(callers, words) == words
    for caller in callers:
        assert caller.recv(1) == b""
        caller.close()
    assert daemon.wait() == 0
    assert "stopped aborted=0" in daemon.log


# ── those who say nothing ───────────────────────────────────────────────────────────────


def let_go(daemon: Daemon, peers: list[socket.socket], began: float, pulse: Pulse) -> None:
    """Check that *peers* are let go a second after they called, and *pulse* is served."""
    went = until_gone(daemon, peers, 1 + 1, pulse.beat)
    assert len(went) == len(peers)
    assert min(went) > began + 1
    assert max(pulse.seconds) < 0.5
    pulse.beat()
    for peer in peers:
        peer.close()


@TRANSPORTS
def test_a_thousand_who_say_nothing_are_let_go_in_time_while_others_are_served(
    serve: Start, transport: str
) -> None:
    more = ("--no-udp", "--transport", transport, "--first-byte-timeout", "1", *BACKLOG)
    daemon = serve("socketsuite-echo", *more)
    with daemon.connect() as caller:
        pulse = Pulse(daemon, caller)
        pulse.beat()
        before, began = descriptors(daemon), time.monotonic()
        let_go(daemon, [call(daemon.port()) for _ in range(1000)], began, pulse)
        assert descriptors(daemon) == before
    assert daemon.stop() == 0
    assert daemon.log.count("reason=first_byte_timeout") == 1000
    assert "Traceback" not in daemon.log


@TRANSPORTS
def test_five_hundred_handshakes_that_never_end_are_cut_in_time_while_others_are_served(
    serve: Start, transport: str, tmp_path: Path
) -> None:
    authority, chain = trustme.CA(), tmp_path / "chain.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(chain)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    more = ("--handshake-timeout", "1", "--tls-cert", str(chain), *BACKLOG)
    daemon = serve("socketsuite-echo", "--no-udp", "--transport", transport, *more)
    port = daemon.port("tls")
    with context.wrap_socket(call(port), server_hostname="localhost") as caller:
        pulse = Pulse(daemon, caller)
        pulse.beat()
        before, began = descriptors(daemon), time.monotonic()
        stalled = [call(port) for _ in range(500)]
        for silent_in_the_middle in stalled[::2]:
            silent_in_the_middle.sendall(_half_a_hello(context))
        let_go(daemon, stalled, began, pulse)
        assert descriptors(daemon) == before
    assert daemon.stop() == 0
    assert daemon.log.count("reason=handshake_timeout") == 500
    assert "Traceback" not in daemon.log


def _half_a_hello(context: ssl.SSLContext) -> bytes:
    sent = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    hello = sent.read()
    return hello[: len(hello) // 2]


# ── a flood ─────────────────────────────────────────────────────────────────────────────

# Waits for nothing, so that neither the daemon nor a full queue of the kernel slows it down.
FLOOD = """
import collections, contextlib, socket, struct, sys, time
end = time.monotonic() + float(sys.argv[2])
reset = struct.pack("ii", 1, 0)
calling, count = collections.deque(), 0
while time.monotonic() < end:
    caller = socket.socket()
    caller.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        caller.connect(("127.0.0.1", int(sys.argv[1])))
    calling.append(caller)
    count += 1
    if len(calling) > 100:
        leaver = calling.popleft()
        if count % 2:
            leaver.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        leaver.close()
print(count)
"""


@TRANSPORTS
def test_a_flood_of_connections_keeps_nobody_from_being_served_and_leaves_nothing_behind(
    serve: Start, transport: str
) -> None:
    daemon = serve("socketsuite-echo", "--no-udp", "--transport", transport)
    with daemon.connect() as caller:
        pulse = Pulse(daemon, caller)
        pulse.beat()
        before, logged = descriptors(daemon), len(daemon.lines)
        command = (sys.executable, "-c", FLOOD, str(daemon.port()), "2")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flood:
            while flood.poll() is None:
                pulse.beat()
            assert flood.stdout is not None
            calls = int(flood.stdout.read())
        assert max(pulse.seconds) < 0.5
        deadline = time.monotonic() + 5
        while descriptors(daemon) != before:
            assert time.monotonic() < deadline
            pulse.beat()
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.log + daemon.errors
    lines = daemon.lines[logged:]
    served = sum(" connected transport=tcp " in line for line in lines)
    # One line for the call and one for its end, and what the end of the daemon says.
    assert 500 < served < calls + 2
    assert sum(" closed transport=tcp " in line for line in lines) == served
    assert len(lines) < 2 * served + 10
    assert max(map(len, lines)) < 250
