"""Peers who never read: what they cost the daemon, and the others, however many they are."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import ssl
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from socketsuite.testing import Daemon, read_all
from tests.daemons.conftest import Start
from tests.daemons.crowd import (
    BACKLOG,
    MOST_DESCRIPTORS,
    as_many_descriptors_as_allowed,
    call,
    descriptors,
    until_ended,
    until_gone,
)
from tests.support.admin import asked, until
from tests.support.audience import Hall, percentile
from tests.support.outside import MEGABYTE, memory

IDLE = min(10_000, MOST_DESCRIPTORS - 200)
SEND_QUEUE = 4 * MEGABYTE


@pytest.fixture(autouse=True, scope="module")
def many() -> Iterator[None]:
    with as_many_descriptors_as_allowed():
        yield


# ── one of them in a room ───────────────────────────────────────────────────────────────


@pytest.fixture(
    scope="module",
    params=["burst", pytest.param("twisted", marks=pytest.mark.thorough)],
    ids=lambda transport: f"{transport}-beside-{IDLE}-idle",
)
def hall(
    many: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hall]:
    made = Hall(tmp_path_factory.mktemp("hall"), IDLE, request.param)
    yield made
    made.close()


@pytest.mark.xdist_group("hall")
def test_one_who_does_not_read_a_large_broadcast_is_dropped_and_leaves_no_memory_behind(
    hall: Hall,
) -> None:
    before, logged = memory(hall.daemon), len(hall.daemon.lines)
    with hall.member() as stalled:
        peer = "{}:{}".format(*stalled.getsockname())
        began = time.monotonic()
        hall.audience.broadcast(100 * MEGABYTE)
        line = hall.daemon.wait_for_line(rf"closed .*peer={peer} ", logged).string
        assert "reason=send_queue_full" in line
        assert time.monotonic() - began < 10
    # The peak is from before, if anything: a bound from above.
    assert memory(hall.daemon, "VmHWM") - before < SEND_QUEUE + 16 * MEGABYTE
    assert all(hall.answers(caller) for caller in hall.idle[::100])


@pytest.mark.xdist_group("hall")
def test_one_who_does_not_read_costs_the_others_no_time(hall: Hall) -> None:
    """Loose, for machines with other work; tests/campaigns/stalled_reader.py is strict."""
    slow: dict[bool, list[float]] = {False: [], True: []}
    used = {False: 0.0, True: 0.0}
    for number in range(10):
        # Alternating, and each first in turn, so that what else goes on meets both alike.
        stalled = number % 4 in (1, 2)
        with contextlib.ExitStack() as stack:
            if stalled:
                # So narrow that it is behind all the time, and never by the whole queue.
                stack.enter_context(hall.member(narrow=True))
            before = hall.cpu_seconds()
            latencies = hall.audience.broadcast(2 * MEGABYTE, rate=8e6)
            used[stalled] += hall.cpu_seconds() - before
            slow[stalled].append(percentile(latencies, 0.99))
    alone, beside = (statistics.median(slow[stalled]) for stalled in (False, True))
    assert beside < 1.5 * alone + 0.05
    assert used[True] < 2.5 * used[False]


# ── a thousand of them, and the end of the connection ───────────────────────────────────

TALKER = """
from twisted.internet.protocol import Factory, Protocol

class Talker(Protocol):
    def dataReceived(self, data):
        self.transport.write(bytes(int(data)))
        self.transport.loseConnection()

def factory():
    return Factory.forProtocol(Talker)
"""
PLUGIN = """
from socketsuite.plugin import ServicePlugin
talker = ServicePlugin("acme-talker", "acme_talker:factory", port=4999, description="Talker")
"""
MORE_THAN_THE_KERNEL_TAKES = b"200000"
LITTLE = b"100"

Caller = Callable[[], socket.socket]


@pytest.fixture(params=["burst", "twisted"])
def talker(
    request: pytest.FixtureRequest, launch: Start, tmp_path: Path
) -> Callable[..., tuple[Daemon, Caller]]:
    """Start a service that says as much as it is asked for and closes, on each transport.

    Returned with it is what connects to it, by TLS if that is wanted.
    """
    plugins = tmp_path / "path" / "twisted" / "plugins"
    plugins.mkdir(parents=True)
    (tmp_path / "path" / "acme_talker.py").write_text(TALKER)
    (plugins / "acme_talker_plugin.py").write_text(PLUGIN)
    path = f"{plugins.parents[1]}:{os.environ.get('PYTHONPATH', '')}"

    def start(*arguments: str, tls: bool) -> tuple[Daemon, Caller]:
        context = ssl.create_default_context()
        more = ("--port", "0", "--transport", request.param, *BACKLOG, *arguments)
        if tls:
            authority, chain = trustme.CA(), tmp_path / "chain.pem"
            authority.configure_trust(context)
            issued = authority.issue_cert("localhost").private_key_and_cert_chain_pem
            issued.write_to_path(chain)
            more += ("--tls-cert", str(chain))
        daemon = launch("acme-talker", *more, env={"PYTHONPATH": path}).wait_until_ready()
        port = daemon.port("tls" if tls else "tcp")

        def connected() -> socket.socket:
            plain = call(port, narrow=True)
            return context.wrap_socket(plain, server_hostname="localhost") if tls else plain

        return daemon, connected

    return start


Talk = Callable[..., tuple[Daemon, Caller]]


def caller_who_sent(connected: Caller, words: bytes) -> socket.socket:
    made = connected()
    made.sendall(words)
    return made


@pytest.mark.parametrize(("many", "tls"), [(1000, False), (100, True)], ids=["1000", "100-tls"])
def test_those_who_do_not_read_cannot_keep_a_closed_connection_open(
    talker: Talk, many: int, tls: bool
) -> None:
    daemon, connected = talker("--write-timeout", "1", tls=tls)
    with caller_who_sent(connected, LITTLE) as first:
        assert len(read_all(first)) == 100
    # An end of the daemon's own, so that nothing is left of this connection.
    daemon.wait_for_line("closed transport")
    before = descriptors(daemon)
    began = time.monotonic()
    stalled = [caller_who_sent(connected, MORE_THAN_THE_KERNEL_TAKES) for _ in range(many)]
    went = until_gone(daemon, stalled, 1 + 1)
    assert descriptors(daemon) == before
    assert len(went) == many
    assert min(went) > began + 1
    for one in stalled:
        one.close()
    assert daemon.stop() == 0
    assert daemon.log.count("reason=write_timeout") == many
    assert "Traceback" not in daemon.log


def test_tls_peers_who_never_answer_close_notify_cannot_keep_a_connection_open(
    talker: Talk,
) -> None:
    daemon, connected = talker("--write-timeout", "1", tls=True)
    with caller_who_sent(connected, LITTLE) as first:
        assert len(read_all(first)) == 100
    daemon.wait_for_line("closed transport")
    before = descriptors(daemon)
    silent = [caller_who_sent(connected, LITTLE) for _ in range(100)]
    assert len(until_gone(daemon, silent, 1 + 1)) == 100
    assert descriptors(daemon) == before
    for one in silent:
        # Nothing was lost for it: the answer is whole, and ends with the daemon's own alert.
        assert len(read_all(one)) == 100
        one.close()
    assert daemon.stop() == 0


@pytest.mark.parametrize(("many", "tls"), [(1000, False), (100, True)], ids=["1000", "100-tls"])
def test_those_who_do_not_read_cannot_hold_up_the_end_of_the_process(
    talker: Talk, tmp_path: Path, many: int, tls: bool
) -> None:
    admin = tmp_path / "admin"
    limits = ("--write-timeout", "0", "--drain-timeout", "0.5", "--admin", str(admin))
    daemon, connected = talker(*limits, tls=tls)
    stalled = [caller_who_sent(connected, MORE_THAN_THE_KERNEL_TAKES) for _ in range(many)]
    # All of them are served, and not taken for somebody who is still shaking hands.
    until(
        lambda: [one["queued"] for one in asked(admin)["connections"]],
        lambda queued: len(queued) == many and all(queued),
    )
    daemon.send_signal(signal.SIGTERM)
    assert until_ended(daemon, 0.5 + 1) == 0
    assert re.search(rf"draining connections={many} ", daemon.log)
    assert daemon.log.count("reason=drain_timeout") == many
    assert "Traceback" not in daemon.log
    for one in stalled:
        one.close()
