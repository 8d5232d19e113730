"""The flags that every stream daemon has, as the kernel and outside programs see them."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from socketsuite.testing import Certificate, read_exactly, read_line
from tests.daemons.conftest import Start
from tests.support.outside import SECONDS, piped
from tests.support.peers import program

TCP_ONLY = ("socketsuite-echo", "--no-udp")


def echoes(connection: socket.socket) -> bool:
    """Whether this connection is being served."""
    with connection:
        connection.sendall(b"hello")
        return read_exactly(connection, 5) == b"hello"


def ended(connection: socket.socket) -> bool:
    """Whether the daemon ends this connection, in whatever way."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def unix_connection(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(SECONDS)
    made.connect(str(path))
    return made


def sockets(*arguments: str) -> str:
    """Return what ``ss`` tells of the sockets that match."""
    command = [program("ss"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=True
    ).stdout


# ── where it listens ────────────────────────────────────────────────────────────────────


def test_each_port_given_is_served_on_both_families(serve: Start) -> None:
    daemon = serve(*TCP_ONLY, "--port", "0", "--port", "0")
    assert len(set(daemon.ports())) == 2
    for port in daemon.ports():
        assert echoes(daemon.connect("127.0.0.1", port))
        assert echoes(daemon.connect("::1", port))


def test_only_the_loopback_is_open_unless_told_otherwise(serve: Start) -> None:
    daemon = serve(*TCP_ONLY)
    daemon.wait_for_line("only this machine can connect; --interface :: opens it")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
        try:
            route.connect(("192.0.2.1", 9))  # sends nothing: it asks for our own address
        except OSError:
            pytest.skip("this machine has no address but the loopback")
        address = route.getsockname()[0]
    with pytest.raises(ConnectionRefusedError):
        daemon.connect(address, daemon.port())


def test_every_ipv4_address_is_open_on_0_0_0_0(serve: Start) -> None:
    daemon = serve(*TCP_ONLY, "--interface", "0.0.0.0")
    port = daemon.port(host="0.0.0.0")
    for address in ("127.0.0.1", "127.0.0.2"):
        assert echoes(daemon.connect(address, port))
    with pytest.raises(ConnectionRefusedError):
        daemon.connect("::1", port)


def test_an_ipv4_caller_reaches_the_dual_stack_interface_and_is_logged_as_such(
    serve: Start,
) -> None:
    daemon = serve("socketsuite-echo", "--interface", "::")
    port = daemon.port(host="::")
    assert echoes(daemon.connect("::1", port))
    with daemon.connect("127.0.0.1", port) as caller:
        peer = "{}:{}".format(*caller.getsockname())
        daemon.wait_for_line(rf"connected transport=tcp peer={peer} ")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.settimeout(SECONDS)
        caller.sendto(b"hello", ("127.0.0.1", port))
        assert caller.recv(100) == b"hello"


def test_an_endpoint_of_twisteds_own_is_served(serve: Start) -> None:
    daemon = serve(*TCP_ONLY, "--listen", "tcp:0:interface=127.0.0.1", "--listen", "tcp6:0")
    assert echoes(daemon.connect(port=daemon.port("endpoint")))
    assert echoes(daemon.connect("::1", daemon.port("endpoint", "::")))
    daemon.wait_for_line("closed transport=tcp peer=127.0.0.1:.* bytes_in=5 bytes_out=5 ")


def test_a_unix_endpoint_of_twisteds_own_is_served(serve: Start, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    daemon = serve(*TCP_ONLY, "--listen", f"unix:{path}")
    text = b"x" * 500_000
    assert piped(text, program("nc.openbsd"), "-N", "-U", str(path)) == text
    daemon.wait_for_line("closed .*bytes_in=500000 bytes_out=500000 ")


def test_an_endpoint_of_twisteds_own_may_expect_a_proxys_header(serve: Start) -> None:
    daemon = serve(*TCP_ONLY, "--listen", "haproxy:tcp:0:interface=127.0.0.1")
    with daemon.connect(port=daemon.port("endpoint")) as proxy:
        proxy.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 7\r\nhello")
        assert read_exactly(proxy, 5) == b"hello"


@pytest.mark.parametrize("transport", ["burst", "twisted"])
def test_whoever_an_endpoint_with_a_layer_of_its_own_refuses_is_told_of_once(
    stranger: Start, tmp_path: Path, transport: str
) -> None:
    file = Certificate.make(tmp_path).path.name
    layers = (
        f"ssl:0:interface=127.0.0.1:privateKey={file}:certKey={file}",
        "haproxy:tcp:0:interface=127.0.0.1",
    )
    listening = [word for layer in layers for word in ("--listen", layer)]
    daemon = stranger(
        "class make(Plain):\n def buildProtocol(self, addr): return None\n",
        *("--transport", transport, *listening, "--deny", "127.0.0.2"),
    ).wait_until_ready()
    for source in ("127.0.0.2", "127.0.0.1"):
        for port in daemon.ports("endpoint"):
            where = ("127.0.0.1", port)
            # The end may be there before this process has seen that it is connected.
            with (
                contextlib.suppress(ConnectionResetError),
                socket.create_connection(where, SECONDS, source_address=(source, 0)) as caller,
            ):
                assert ended(caller)
    assert daemon.stop() == 0
    assert re.search(r" refused transport=tcp peer=127.0.0.2:\d+ reason=deny$", daemon.log, re.M)
    assert (
        len(re.findall(r" closed transport=tcp peer=127.0.0.1:.*reason=declined", daemon.log)) == 2
    )
    assert "peer=127.0.0.2" not in "".join(x for x in daemon.lines if "connected" in x)
    assert "Traceback" not in daemon.log


def test_tcp_unix_and_endpoint_listeners_serve_at_once(serve: Start, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    arguments = ("--port", "0", "--unix", str(path), "--listen", "tcp:0:interface=127.0.0.1")
    daemon = serve(*TCP_ONLY, *arguments)
    assert echoes(daemon.connect())
    assert echoes(unix_connection(path))
    assert echoes(daemon.connect(port=daemon.port("endpoint")))


# ── Unix sockets ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "mode"),
    [((), 0o660), (("--unix-mode", "0600"), 0o600), (("--unix-mode", "666"), 0o666)],
)
def test_the_socket_file_has_its_mode_and_is_removed_at_the_end(
    serve: Start, tmp_path: Path, arguments: tuple[str, ...], mode: int
) -> None:
    path = tmp_path / "socket"
    daemon = serve(*TCP_ONLY, "--unix", str(path), *arguments)
    assert path.is_socket()
    assert path.stat().st_mode & 0o777 == mode
    assert echoes(unix_connection(path))
    assert daemon.stop() == 0
    assert not path.exists()


def test_the_socket_file_of_a_killed_daemon_is_replaced(serve: Start, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    dead = serve(*TCP_ONLY, "--unix", str(path))
    dead.send_signal(signal.SIGKILL)
    dead.wait()
    assert path.is_socket()
    serve(*TCP_ONLY, "--unix", str(path))
    assert echoes(unix_connection(path))


def test_the_socket_file_of_a_live_daemon_is_not_replaced(
    serve: Start, launch: Start, tmp_path: Path
) -> None:
    path = tmp_path / "socket"
    serve(*TCP_ONLY, "--unix", str(path))
    late = launch(*TCP_ONLY, "--unix", str(path))
    assert late.wait() == 1
    assert late.errors.count("\n") == 1
    assert f"unix socket {path}: another server is using it" in late.errors
    assert echoes(unix_connection(path))


def test_a_file_that_is_no_socket_is_never_replaced(launch: Start, tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    daemon = launch(*TCP_ONLY, "--unix", str(path))
    assert daemon.wait() == 1
    assert "a file that is not a socket is there" in daemon.errors
    assert path.read_text() == "data"


def test_a_daemon_removes_only_its_own_socket_file(serve: Start, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    first = serve(*TCP_ONLY, "--unix", str(path))
    path.unlink()
    serve(*TCP_ONLY, "--unix", str(path))
    assert first.stop() == 0
    assert echoes(unix_connection(path))


# ── the kernel's options ────────────────────────────────────────────────────────────────


def test_two_processes_share_a_port_that_may_be_reused(serve: Start, launch: Start) -> None:
    first = serve("socketsuite-echo", "--reuse-port")
    port = first.port()
    second = serve("socketsuite-echo", "--reuse-port", "--port", str(port))
    callers = [first.connect(port=port) for _ in range(100)]
    for caller in callers:
        assert echoes(caller)
    for daemon in (first, second):
        assert daemon.stop() == 0
    counts = [daemon.log.count("connected transport=tcp") for daemon in (first, second)]
    assert sum(counts) == 100
    assert min(counts) > 0
    # Not by accident: without the flag on both sides the port is taken.
    third = serve("socketsuite-echo", "--reuse-port")
    assert launch("socketsuite-echo", "--port", str(third.port())).wait() == 1


@pytest.mark.parametrize(("arguments", "backlog"), [(("--backlog", "17"), 17), ((), 511)])
def test_the_backlog_is_the_kernels(
    serve: Start, tmp_path: Path, arguments: tuple[str, ...], backlog: int
) -> None:
    if int(Path("/proc/sys/net/core/somaxconn").read_text()) < backlog:
        pytest.skip("this machine allows no such backlog")
    path = tmp_path / "socket"
    daemon = serve(*TCP_ONLY, "--port", "0", "--unix", str(path), *arguments)
    tcp = sockets("-Hltn", f"sport = :{daemon.port()}").splitlines()
    unix = [line for line in sockets("-Hlx").splitlines() if str(path) in line]
    assert len(tcp) == 2
    assert len(unix) == 1
    # ss shows a listener's backlog in the column of its send queue.
    assert [int(line.split()[2]) for line in tcp] == [backlog, backlog]
    assert int(unix[0].split()[3]) == backlog


def test_a_silent_peer_is_probed_when_asked_for(serve: Start) -> None:
    probing, quiet = serve(*TCP_ONLY, "--keepalive", "37"), serve(*TCP_ONLY)
    with probing.connect() as one, quiet.connect() as two:
        for caller in (one, two):
            caller.sendall(b"x")
            assert read_exactly(caller, 1) == b"x"
        shown = sockets("-Htno", "state", "established", f"sport = :{probing.port()}")
        assert "keepalive" not in sockets(
            "-Htno", "state", "established", f"sport = :{quiet.port()}"
        )
        found = re.search(r"timer:\(keepalive,(\d+)sec", shown)
        assert found is not None, shown
        assert 37 - SECONDS <= int(found[1]) <= 37


# ── limits ──────────────────────────────────────────────────────────────────────────────


def test_the_limit_on_connections_is_for_all_listeners_together(
    serve: Start, tmp_path: Path
) -> None:
    path = tmp_path / "socket"
    daemon = serve(*TCP_ONLY, "--max-connections", "2", "--port", "0", "--unix", str(path))
    with daemon.connect() as one, unix_connection(path) as two:
        for caller in (one, two):
            caller.sendall(b"x")
            assert read_exactly(caller, 1) == b"x"
        for _ in range(10):
            with daemon.connect() as refused:
                assert refused.recv(1) == b""
            with unix_connection(path) as refused:
                assert refused.recv(1) == b""
        one.sendall(b"y")
        assert read_exactly(one, 1) == b"y"
    daemon.wait_for_line("closed transport=tcp .*bytes_in=2 ")
    assert echoes(daemon.connect())
    assert daemon.stop() == 0
    assert "refused transport=" in daemon.log
    assert "Traceback" not in daemon.log


def test_an_active_connection_is_closed_only_once_it_has_been_idle(serve: Start) -> None:
    timeout = 0.4
    daemon = serve(*TCP_ONLY, "--idle-timeout", str(timeout))
    with daemon.connect() as caller:
        started = last = time.monotonic()
        while last < started + 2 * timeout:
            caller.sendall(b"x")
            assert read_exactly(caller, 1) == b"x"
            last = time.monotonic()
        assert caller.recv(1) == b""
        assert time.monotonic() - last >= 0.9 * timeout
    daemon.wait_for_line("closed .*reason=idle_timeout")


def test_an_idle_connection_that_does_not_read_is_closed_too(serve: Start) -> None:
    chargen = serve("socketsuite-chargen", "--no-udp", "--idle-timeout", "0.4")
    with socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", chargen.port()))
        chargen.wait_for_line("closed transport=tcp .*reason=idle_timeout")


# ── words and sources ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["echo", "chat"])
def test_a_banner_names_the_way_in(serve: Start, tmp_path: Path, name: str) -> None:
    path = tmp_path / "socket"
    arguments = ("--banner", "Привет on {port}", "--port", "0", "--unix", str(path))
    daemon = serve(f"socketsuite-{name}", *arguments)
    with daemon.connect() as caller:
        assert read_line(caller).decode() == f"Привет on {daemon.port()}\n"
    with unix_connection(path) as caller:
        assert read_line(caller).decode() == f"Привет on {path}\n"


def test_the_port_can_come_from_the_environment_and_a_flag_wins(launch: Start) -> None:
    first = launch(*TCP_ONLY, env={"SOCKETSUITE_ECHO_PORT": "0"}).wait_until_ready()
    assert echoes(first.connect())
    # The first one's port is taken: only the flag lets the second one start.
    env = {"SOCKETSUITE_ECHO_PORT": str(first.port())}
    second = launch(*TCP_ONLY, "--port", "0", env=env).wait_until_ready()
    assert second.port() != first.port()
    third = launch(*TCP_ONLY, env=env)
    assert third.wait() == 1
    assert f"port {first.port()}: the address is in use" in third.errors


def test_a_value_of_the_environment_that_is_no_port_is_one_line_that_names_it(
    launch: Start,
) -> None:
    daemon = launch(*TCP_ONLY, env={"SOCKETSUITE_ECHO_PORT": "seven"})
    assert daemon.wait() == 2
    assert daemon.errors.count("\n") == 1
    assert "SOCKETSUITE_ECHO_PORT" in daemon.errors
    assert "seven" in daemon.errors
