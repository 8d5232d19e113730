"""A stranger's protocol, which knows nothing of all this, under every feature of the operator's.

What is tested elsewhere with ``acme-rot13`` is not here: lists, counts and rates of admission,
HAProxy, reload, --check-config, the notify protocol, --send-queue, --idle-timeout, drain by
signal, settings and their sources.  A protocol that blocks is named: see ``acme-stuck``.
"""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import ssl
import stat
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from socketsuite.testing import Daemon, read_all, read_line
from tests.daemons.activation import activated
from tests.daemons.conftest import Start
from tests.support.admin import asked, figures, page, until
from tests.support.outside import SECONDS

NAME = "acme-rot13"
# What a proxy would say: the client is 192.0.2.7:5000, and called 198.51.100.1:443.
ADDRESSES = bytes([192, 0, 2, 7, 198, 51, 100, 1]) + struct.pack(">HH", 5000, 443)
HEADERS = {
    1: b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\n",
    2: b"\r\n\r\n\0\r\nQUIT\n" + b"\x21\x11" + struct.pack(">H", len(ADDRESSES)) + ADDRESSES,
}
LINE = b"a" * 15_999 + b"\n"
MORE_THAN_THE_KERNEL_TAKES = LINE * 600


@dataclass(frozen=True)
class Site:
    """A folder with certificates, and what stands for it in a command line."""

    folder: Path
    authority: trustme.CA

    def client(self, *, known: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if known:
            self.authority.issue_cert("client@example.org").configure_cert(context)
        return context


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def site(tmp_path: Path, authority: trustme.CA) -> Site:
    issued = authority.issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "cert.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return Site(tmp_path, authority)


def is_served(caller: socket.socket) -> None:
    caller.sendall(b"hello\n")
    assert read_line(caller) == b"uryyb\n"


def is_let_go(caller: socket.socket) -> None:
    with contextlib.suppress(ConnectionError):
        read_all(caller)


def secured(daemon: Daemon, context: ssl.SSLContext, first: bytes = b"") -> ssl.SSLSocket:
    plain = daemon.connect(port=daemon.port("tls"))
    plain.sendall(first)
    return context.wrap_socket(plain, server_hostname="localhost")


def deaf_caller(daemon: Daemon, text: bytes = MORE_THAN_THE_KERNEL_TAKES) -> socket.socket:
    """Return one who says much, and reads nothing of what comes back."""
    made = daemon.connect()
    with contextlib.suppress(ConnectionError):
        made.sendall(text)
    return made


def metrics_count_its_connections_and_bytes(daemon: Daemon, _: Site) -> None:
    def figure(name: str, **labels: str) -> float:
        every = sorted({"service": NAME, "frontend": "main", **labels}.items())
        told = ",".join(f'{key}="{value}"' for key, value in every)
        return figures(daemon)[f"socketsuite_{name}{{{told}}}"]

    with daemon.connect() as caller:
        is_served(caller)
        assert figure("connections_open", transport="tcp") == 1
        assert figure("received_bytes_total") == figure("sent_bytes_total") == 6
    daemon.wait_for_line(" closed ")
    assert figure("connections_open", transport="tcp") == 0
    assert figure("connections_opened_total", transport="tcp") == 1
    assert figure("connections_closed_total", transport="tcp", reason="closed_by_peer") == 1
    assert figure("connection_duration_seconds_count") == 1


def health_counts_its_connections(daemon: Daemon, _: Site) -> None:
    with daemon.connect() as caller:
        is_served(caller)
        status, text = page(daemon, "/health")
    assert (status, json.loads(text)["connections"]) == (200, {NAME: 1})


def an_operator_lists_its_connections_and_closes_one(daemon: Daemon, site: Site) -> None:
    admin = site.folder / "admin"
    with daemon.connect() as first, daemon.connect() as second:
        for caller in (first, second):
            is_served(caller)
        by_peer = {one["peer"]: one for one in asked(admin)["connections"]}
        one = by_peer["{}:{}".format(*second.getsockname())]
        assert (one["service"], one["bytes_in"], one["bytes_out"]) == (NAME, 6, 6)
        assert asked(admin, "close", id=one["id"]) == {"closed": one["id"]}
        assert second.recv(1) == b""
        daemon.wait_for_line("reason=closed_by_operator")
        is_served(first)


def an_operator_drains_it(daemon: Daemon, site: Site) -> None:
    with daemon.connect() as caller:
        is_served(caller)
        assert asked(site.folder / "admin", "drain") == {"draining": True}
        daemon.wait_for_line(f"{NAME} draining connections=1")
        with pytest.raises(ConnectionRefusedError):
            daemon.connect()
        is_served(caller)
    assert daemon.wait() == 0
    assert f"{NAME} stopped aborted=0" in daemon.log


def the_status_command_shows_it_as_json(daemon: Daemon, site: Site) -> None:
    command = [sys.executable, "-m", "socketsuite.cli", "status", "--json"]
    with daemon.connect() as caller:
        is_served(caller)
        done = subprocess.run(
            [*command, "--admin", site.folder / "admin"], capture_output=True, timeout=SECONDS
        )
    told, _ = (json.loads(line) for line in done.stdout.splitlines())
    assert told["process"]["command"] == NAME
    (service,) = told["services"]
    assert (service["name"], service["open"], service["bytes_in"]) == (NAME, 1, 6)
    ports = {one["port"] for one in service["listeners"]}
    assert ports == {daemon.port()}


def a_silent_caller_is_closed_and_one_who_has_spoken_is_not(daemon: Daemon, _: Site) -> None:
    with daemon.connect() as spoken:
        is_served(spoken)
        with daemon.connect() as silent:
            is_let_go(silent)
        line = daemon.wait_for_line("closed .* reason=first_byte_timeout").string
        assert "bytes_in=0" in line
        is_served(spoken)


def a_deaf_caller_is_dropped(reason: str) -> Callable[[Daemon, Site], None]:
    def check(daemon: Daemon, _: Site) -> None:
        with daemon.connect() as other, deaf_caller(daemon):
            daemon.wait_for_line(f"closed .* reason={reason}")
            is_served(other)

    return check


def of_two_deaf_callers_the_larger_queue_goes(daemon: Daemon, site: Site) -> None:
    def queued() -> list[int]:
        return [one["queued"] for one in asked(site.folder / "admin")["connections"]]

    # Twice as much as the limit that the two have together.
    with deaf_caller(daemon) as smaller:
        until(queued, any)
        with deaf_caller(daemon, LINE * 1600) as larger:
            line = daemon.wait_for_line("closed .* reason=total_send_queue_full").string
            assert " peer={}:{} ".format(*larger.getsockname()) in line
        smaller.shutdown(socket.SHUT_WR)
        assert len(read_all(smaller)) == len(MORE_THAN_THE_KERNEL_TAKES)


def nobody_takes_for_ever_to_shake_hands(daemon: Daemon, site: Site) -> None:
    slow = daemon.connect(port=daemon.port("tls"))
    with slow, secured(daemon, site.client()) as caller:
        is_served(caller)
        is_let_go(slow)
        is_served(caller)
    daemon.wait_for_line("closed transport=tls .* reason=handshake_timeout")


def only_a_caller_with_a_certificate_is_served(daemon: Daemon, site: Site) -> None:
    with secured(daemon, site.client(known=True)) as caller:
        is_served(caller)
    # In TLS 1.3 the client thinks that it is in before the server has looked.
    with secured(daemon, site.client()) as caller, contextlib.suppress(OSError):
        caller.sendall(b"hello\n")
        assert caller.recv(1) == b""
    daemon.wait_for_line(
        'closed transport=tls .* reason=handshake_failed detail="peer did not return'
    )


def the_client_behind_a_proxy_is_logged(version: int) -> Callable[[Daemon, Site], None]:
    def check(daemon: Daemon, site: Site) -> None:
        secure = daemon.ports("tls") != []
        if secure:
            caller: socket.socket = secured(daemon, site.client(), HEADERS[version])
        else:
            caller = daemon.connect()
            caller.sendall(HEADERS[version])
        with caller:
            is_served(caller)
        kind = "tls" if secure else "tcp"
        daemon.wait_for_line(f"connected transport={kind} peer=192.0.2.7:5000 local=198.51.100.1")
        daemon.wait_for_line(f"closed transport={kind} peer=192.0.2.7:5000 bytes_in=6 bytes_out=6")

    return check


def a_unix_socket_is_served_and_its_file_removed(daemon: Daemon, site: Site) -> None:
    path = site.folder / "door"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(SECONDS)
        caller.connect(str(path))
        is_served(caller)
    daemon.wait_for_line("closed transport=unix .*bytes_in=6 bytes_out=6")
    assert daemon.stop() == 0
    assert not path.exists()


QUEUES = "--send-queue 64M"
TLS = "--tls-cert {}/cert.pem"
ADMIN = "--admin {}/admin"
PROXIED = "--proxy-from 127.0.0.1"
FEATURES: list[tuple[str, Callable[[Daemon, Site], None]]] = [
    ("--metrics-port 0", metrics_count_its_connections_and_bytes),
    ("--metrics-port 0", health_counts_its_connections),
    (ADMIN, an_operator_lists_its_connections_and_closes_one),
    (ADMIN, an_operator_drains_it),
    (ADMIN, the_status_command_shows_it_as_json),
    ("--unix {}/door --unix-mode 0600", a_unix_socket_is_served_and_its_file_removed),
    (PROXIED, the_client_behind_a_proxy_is_logged(2)),
    (f"{PROXIED} {TLS}", the_client_behind_a_proxy_is_logged(1)),
]
# What the transports themselves do, both of them.
OF_THE_TRANSPORT: list[tuple[str, Callable[[Daemon, Site], None]]] = [
    ("--first-byte-timeout 0.5", a_silent_caller_is_closed_and_one_who_has_spoken_is_not),
    (f"--write-timeout 0.3 {QUEUES}", a_deaf_caller_is_dropped("write_timeout")),
    (
        f"--send-queue-soft 1K --send-queue-seconds 0.3 {QUEUES}",
        a_deaf_caller_is_dropped('send_queue_full detail="above the soft limit for 0.3 s"'),
    ),
    (f"--total-send-queue 20M {QUEUES} {ADMIN}", of_two_deaf_callers_the_larger_queue_goes),
    (f"--handshake-timeout 1 {TLS}", nobody_takes_for_ever_to_shake_hands),
    (f"--tls-client-ca {{}}/ca.pem {TLS}", only_a_caller_with_a_certificate_is_served),
]
EVERY_FEATURE = FEATURES + [
    (f"{flags} --transport {transport}", check)
    for flags, check in OF_THE_TRANSPORT
    for transport in ("burst", "twisted")
]


@pytest.mark.parametrize(
    ("flags", "check"),
    EVERY_FEATURE,
    ids=[f"{number} {flags.replace('{}/', '')}" for number, (flags, _) in enumerate(EVERY_FEATURE)],
)
def test_the_feature_is_there_for_a_strangers_protocol(
    launch: Start, site: Site, flags: str, check: Callable[[Daemon, Site], None]
) -> None:
    where = () if "--unix " in flags else ("--port", "0")
    daemon = launch(NAME, *where, *flags.format(*[site.folder] * 2).split()).wait_until_ready()
    check(daemon, site)
    if daemon.process.poll() is None:
        assert daemon.stop() == 0
    assert "Traceback" not in daemon.log + daemon.errors


def test_its_log_may_be_json(launch: Start) -> None:
    daemon = launch(NAME, "--port", "0", "--log-format", "json")
    daemon.wait_for_line('"message":"ready')
    port = next(json.loads(line)["port"] for line in daemon.lines if '"listening"' in line)
    with daemon.connect(port=port) as caller:
        is_served(caller)
        peer = "{}:{}".format(*caller.getsockname())
    daemon.wait_for_line('"event":"closed"')
    assert daemon.stop() == 0
    told = [json.loads(line) for line in daemon.lines]
    ours = {one["event"]: one for one in told if one.get("service") == NAME}
    assert set(ours) == {"listening", "notice", "connected", "closed", "draining", "stopped"}
    closed = ours["closed"]
    assert (closed["peer"], closed["bytes_in"], closed["reason"]) == (peer, 6, "closed_by_peer")
    assert isinstance(closed["duration"], float)
    assert f" peer={peer} " in closed["message"]
    assert all(one["message"] for one in told)
    loggers = {one["logger"] for one in told if "logger" in one}
    assert loggers == {"twisted", "socketsuite"}
    assert not [one for one in told if " starting on " in one["message"]]


def test_its_log_may_be_a_file_that_is_opened_anew(launch: Start, tmp_path: Path) -> None:
    log, old = tmp_path / "log", tmp_path / "log.1"
    door = tmp_path / "door"
    daemon = launch(NAME, "--log-to", str(log), "--unix", str(door))
    until(lambda: log.exists() and " ready" in log.read_text(), bool)
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(SECONDS)
        caller.connect(str(door))
        is_served(caller)
        log.rename(old)
        daemon.send_signal(signal.SIGHUP)
        until(lambda: log.exists() and " reloaded" in log.read_text(), bool)
    assert daemon.stop() == 0
    assert f"{NAME} connected" in old.read_text()
    assert f"{NAME} closed" in log.read_text()
    assert daemon.log == ""


def test_a_socket_from_outside_that_is_named_for_tls_is_served_by_it(
    launch: Start, site: Site
) -> None:
    before = activated("rot13-tls", "tcp=0")
    daemon = launch(NAME, *TLS.format(site.folder).split(), before=before).wait_until_ready()
    assert daemon.log.count(" listening ") == 1
    with secured(daemon, site.client()) as caller:
        is_served(caller)
    daemon.wait_for_line("closed transport=tls .*bytes_in=6 bytes_out=6")
    assert daemon.stop() == 0
