"""Who is let in: lists, counts, rates, and the real client behind a proxy."""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from socketsuite.testing import Daemon, read_all, read_exactly, read_line
from tests.daemons.conftest import Start
from tests.daemons.crowd import Stopwatch
from tests.support.outside import reset


def answered(daemon: Daemon, source: str = "127.0.0.1", header: bytes = b"") -> bool:
    """Whether a caller from *source* is served."""
    with contextlib.ExitStack() as stack:
        try:
            caller = socket.create_connection(
                ("127.0.0.1", daemon.port()), timeout=20, source_address=(source, 0)
            )
            stack.enter_context(caller)
            caller.sendall(header + b"a\n")
            return read_line(caller) == b"n\n"
        except (AssertionError, ConnectionError):
            return False


def test_a_network_that_is_denied_is_not_served(serve: Start) -> None:
    daemon = serve("acme-rot13", "--deny", "127.0.0.2", "--deny", "10.0.0.0/8")
    assert answered(daemon)
    assert not answered(daemon, "127.0.0.2")
    daemon.wait_for_line(r"refused transport=tcp peer=127.0.0.2:\d+ reason=deny")


def test_only_networks_that_are_allowed_are_served(serve: Start, tmp_path: Path) -> None:
    lists = tmp_path / "allowed"
    lists.write_text("# the office\n127.0.0.4/30\n")
    daemon = serve("acme-rot13", "--allow", f"@{lists}")
    assert answered(daemon, "127.0.0.5")
    assert not answered(daemon)
    daemon.wait_for_line("reason=allow")


def test_an_empty_list_of_allowed_networks_lets_nobody_in(serve: Start, tmp_path: Path) -> None:
    lists = tmp_path / "allowed"
    lists.write_text("# nobody yet\n")
    assert not answered(serve("acme-rot13", "--allow", f"@{lists}"))


def test_a_reload_reads_the_list_anew_and_drops_whom_it_keeps_out(
    serve: Start, tmp_path: Path
) -> None:
    lists = tmp_path / "denied"
    lists.write_text("")
    daemon = serve("acme-rot13", "--deny", f"@{lists}")
    source = ("127.0.0.2", 0)
    with (
        socket.create_connection(("127.0.0.1", daemon.port()), 20, source) as doomed,
        daemon.connect() as other,
    ):
        doomed.sendall(b"a\n")
        assert read_line(doomed) == b"n\n"
        lists.write_text("127.0.0.2\n")
        daemon.send_signal(signal.SIGHUP)
        daemon.wait_for_line("socketsuite reloaded")
        with pytest.raises(ConnectionResetError):
            read_all(doomed)
        other.sendall(b"a\n")
        assert read_line(other) == b"n\n"
        lists.write_text("127.0.0.300\n")
        daemon.send_signal(signal.SIGHUP)
        daemon.wait_for_line("reload refused.*denied, line 1")
        assert not answered(daemon, "127.0.0.2")


@pytest.mark.parametrize("word", ["10.0.0.1/8", "300.0.0.1", "10.0.0.0/33", "@", ""])
def test_a_wrong_network_is_one_line_and_status_2(launch: Start, word: str) -> None:
    daemon = launch("acme-rot13", "--port", "0", "--deny", word)
    assert daemon.wait() == 2
    assert daemon.errors.count("\n") == 1
    assert "deny" in daemon.errors


def test_one_host_has_only_so_many_connections(serve: Start) -> None:
    daemon = serve("acme-rot13", "--max-connections-per-host", "2")
    with daemon.connect() as first, daemon.connect():
        first.sendall(b"a\n")
        read_line(first)
        assert not answered(daemon)
        assert answered(daemon, "127.0.0.2")
    daemon.wait_for_line("reason=max_connections_per_host")
    daemon.wait_for_line("reason=closed_by_peer")
    assert answered(daemon)


def test_one_host_makes_only_so_many_new_connections(serve: Start) -> None:
    daemon = serve("acme-rot13", "--max-rate-per-host", "3", "--rate-window", "3600")
    assert [answered(daemon) for _ in range(5)] == [True, True, True, False, False]
    assert answered(daemon, "127.0.0.2")
    daemon.wait_for_line("reason=max_rate_per_host")


HEADER = b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\n"


def test_the_client_behind_a_proxy_is_the_one_who_is_judged_and_logged(serve: Start) -> None:
    daemon = serve("acme-rot13", "--proxy-from", "127.0.0.1", "--deny", "192.0.2.8")
    assert answered(daemon, header=HEADER)
    daemon.wait_for_line("connected transport=tcp peer=192.0.2.7:5000 local=198.51.100.1:443")
    line = daemon.wait_for_line("closed transport=tcp peer=192.0.2.7:5000").string
    assert "bytes_in=2 bytes_out=2" in line
    assert not answered(daemon, header=HEADER.replace(b"192.0.2.7", b"192.0.2.8"))
    daemon.wait_for_line("refused transport=tcp peer=192.0.2.8:5000 reason=deny")


def test_nobody_else_may_send_a_header_and_nobody_is_served_without_one(serve: Start) -> None:
    daemon = serve("acme-rot13", "--proxy-from", "127.0.0.1")
    assert not answered(daemon, "127.0.0.2", HEADER)
    daemon.wait_for_line("reason=proxy_from")
    assert not answered(daemon)
    daemon.wait_for_line('refused .*reason=bad_proxy_header detail="this is something else"')
    assert "connected" not in daemon.log


def test_a_limit_for_each_host_counts_clients_and_not_the_proxy(serve: Start) -> None:
    arguments = ("--proxy-from", "127.0.0.0/8", "--max-connections-per-host", "1")
    daemon = serve("acme-rot13", *arguments)
    with daemon.connect() as first:
        first.sendall(HEADER + b"a\n")
        assert read_line(first) == b"n\n"
        assert not answered(daemon, header=HEADER)
        assert answered(daemon, header=HEADER.replace(b"192.0.2.7", b"192.0.2.9"))


@pytest.mark.parametrize("version", ["send-proxy", "send-proxy-v2"])
def test_a_real_haproxy_is_understood(
    serve: Start, haproxy: Callable[[str], socket.socket], version: str
) -> None:
    daemon = serve("acme-rot13", "--proxy-from", "127.0.0.1")
    with haproxy(f"127.0.0.1:{daemon.port()} {version}") as caller:
        caller.sendall(b"a\n")
        assert read_line(caller) == b"n\n"
        peer = "{}:{}".format(*caller.getsockname())
    daemon.wait_for_line(f"closed transport=tcp peer={peer} bytes_in=2")


def test_a_thousand_peers_who_do_not_read_leave_nothing_behind(serve: Start) -> None:
    daemon = serve("socketsuite-chargen", "--no-udp", "--write-timeout", "1")
    callers = [daemon.connect() for _ in range(1000)]
    for caller in callers:
        read_exactly(caller, 1)
    wanted = time.monotonic() + 60
    descriptors = Path(f"/proc/{daemon.process.pid}/fd")
    while len(list(descriptors.iterdir())) > 40:
        assert time.monotonic() < wanted, "descriptors are held for peers who do not read"
        with contextlib.suppress(AssertionError):
            daemon.wait_for_line("reason=write_timeout", len(daemon.lines))
    for caller in callers:
        reset(caller)


def test_without_descriptors_callers_wait_and_are_served_within_a_second(launch: Start) -> None:
    few = ("prlimit", "--nofile=64:64")
    daemon = launch("acme-rot13", "--port", "0", before=few).wait_until_ready()
    callers = [daemon.connect() for _ in range(100)]
    try:
        for caller in callers:
            caller.sendall(b"a\n")
        daemon.wait_for_line("reason=no_descriptors")
        served, waiting = callers[:20], callers[-20:]
        for caller in served:
            assert read_line(caller) == b"n\n"
        used = Path(f"/proc/{daemon.process.pid}/schedstat")
        before = int(used.read_text().split()[0])
        assert not select.select(waiting, [], [], 0.5)[0]
        # Looking again without a pause would take all of the core meanwhile.
        assert int(used.read_text().split()[0]) - before < 100_000_000
        for caller in callers[:80]:
            caller.close()
        watch = Stopwatch(daemon)
        for caller in waiting:
            assert read_line(caller) == b"n\n"
        assert watch.seconds() < 1.0
    finally:
        for caller in callers:
            caller.close()
    assert daemon.stop() == 0
    lines = daemon.log.count("reason=no_descriptors")
    assert 1 <= lines <= 4
    assert "Traceback" not in daemon.log


def test_a_loop_between_two_udp_echoes_dies_out(serve: Start) -> None:
    """A forged datagram makes one echo answer the other; the budget of one of them ends it."""
    first, second = (
        serve("socketsuite-echo", "--no-tcp", "--udp-rate", rate, "--log-data", "sizes")
        for rate in ("50", "0")
    )
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as forger:
        forger.sendto(_datagram(second.port("udp"), first.port("udp"), b"loop"), ("127.0.0.1", 0))
    first.wait_for_line("refused transport=udp .* reason=rate")
    answered_first = sum("received transport=udp" in line for line in first.lines)
    assert 40 <= answered_first <= 60


def _datagram(source: int, target: int, payload: bytes) -> bytes:
    """Return an IPv4 packet between two ports of 127.0.0.1 (RFC 791, RFC 768)."""
    length = 8 + len(payload)
    udp = source.to_bytes(2, "big") + target.to_bytes(2, "big") + length.to_bytes(2, "big")
    loopback = bytes([127, 0, 0, 1])
    head = bytes([0x45, 0]) + (20 + length).to_bytes(2, "big") + bytes([0, 0, 0, 0, 64, 17, 0, 0])
    return head + loopback + loopback + udp + b"\0\0" + payload
