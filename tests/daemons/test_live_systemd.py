"""The units in etc/, unchanged, under a real systemd: one of the test's own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from socketsuite.testing import read_all, read_line
from tests.daemons.own_systemd import ETC, OwnSystemd
from tests.support.admin import until
from tests.support.outside import SECONDS

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can have a systemd of its own")

CHAT, ECHO, SUITE = "socketsuite-chat.service", "socketsuite-echo.service", "socketsuite.service"
ECHO_SOCKET = "socketsuite-echo.socket"
NET_BIND_SERVICE = 1 << 10  # linux/capability.h
USERS_MADE_UP = range(61184, 65520)  # man systemd.exec, DynamicUser=
ENDED_WELL = {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
LOOPBACK = ("127.0.0.1", "::1")


@pytest.fixture(scope="module")
def obstacles() -> list[str]:
    """Why there was no systemd for an earlier test: the next ones need not wait for it."""
    return []


@pytest.fixture
def systemd(tmp_path: Path, obstacles: list[str]) -> Iterator[OwnSystemd]:
    if obstacles:
        pytest.skip(obstacles[0])
    made = OwnSystemd(tmp_path)
    try:
        why_not = made.wait_until_up()
        if why_not:
            obstacles.append(f"no systemd of one's own: {why_not}")
            pytest.skip(obstacles[0])
        yield made
        print(made.journal())  # pytest shows it when the test has failed
    finally:
        made.end()


def answers(systemd: OwnSystemd, port: int, host: str) -> None:
    """See that an echo answers there, on both transports."""
    with systemd.connect(port, host) as caller:
        caller.sendall(b"tcp\n")
        assert read_line(caller) == b"tcp\n"
    with systemd.datagrams(port, host) as caller:
        caller.send(b"udp")
        assert caller.recv(10) == b"udp"


def is_up(systemd: OwnSystemd, unit: str) -> None:
    """Wait until a unit is up, after a start that nobody waited for."""
    until(lambda: systemd.show(unit, "ActiveState"), "active".__eq__)


def is_shut_in(systemd: OwnSystemd, unit: str, capabilities: int) -> None:
    """See that a unit's process has no privilege left, and sees and writes nothing but its own."""
    process = systemd.process(unit)
    tasks = list(process.glob("task/*/status"))
    assert tasks
    for task in tasks:
        said = dict(re.findall(r"^(\w+):\t(.*)$", task.read_text(), re.MULTILINE))
        for key in ("Uid", "Gid"):
            (number,) = set(said[key].split())
            assert int(number) in USERS_MADE_UP
        for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(said[key], 16) == capabilities, key
        assert (said["NoNewPrivs"], said["Seccomp"]) == ("1", "2")
    for path in ("/home/secret", "/root/secret", "/tmp/secret", "/var/tmp/secret", "/dev/secret"):
        systemd.write(path, "")
        assert not (process / "root" / path.lstrip("/")).exists(), path
    assert systemd.at("/proc/meminfo").exists()
    assert not (process / "root/proc/meminfo").exists()
    for folder in ("/etc", "/opt/socketsuite", "/usr", "/var/lib", "/run/lock", "/dev/shm"):
        assert "Read-only file system" in written(systemd, unit, folder), folder
    for folder in (f"/run/{unit.removesuffix('.service')}", "/tmp", "/var/tmp"):
        assert written(systemd, unit, folder) == "", folder


def written(systemd: OwnSystemd, unit: str, folder: str) -> str:
    """Return what is said to root itself when it writes there, as a unit sees the folder."""
    there = ("nsenter", "--mount", "--target", systemd.show(unit, "MainPID"))
    return systemd.run(*there, "sh", "-c", f"echo > {folder}/test && rm {folder}/test").stderr


def edits(unit: str) -> dict[str, str]:
    """Return what the comment in a unit tells to write by ``systemctl edit``."""
    block = r"^# +systemctl edit (\S+)\n((?:#     .+\n)+)"
    found = re.findall(block, (ETC / unit).read_text(), re.MULTILINE)
    return {name: re.sub(r"^# +", "", lines, flags=re.MULTILINE) for name, lines in found}


def test_the_first_caller_of_the_socket_unit_starts_the_service(systemd: OwnSystemd) -> None:
    systemd.does("start", ECHO_SOCKET)
    assert systemd.show(ECHO, "ActiveState") == "inactive"
    for host in LOOPBACK:
        answers(systemd, 7, host)
    shown = systemd.shows(ECHO, "ActiveState", "SubState", "Result")
    assert shown == {"ActiveState": "active", "SubState": "running", "Result": "success"}
    assert systemd.log(ECHO).count(" listening ") == 4
    is_shut_in(systemd, ECHO, NET_BIND_SERVICE)
    systemd.does("stop", ECHO_SOCKET, ECHO)
    with pytest.raises(ConnectionRefusedError):
        systemd.connect(7)


def test_the_caller_who_starts_the_service_has_the_options_of_its_port(
    systemd: OwnSystemd,
) -> None:
    systemd.write("/etc/default/socketsuite-echo", "SOCKETSUITE_ECHO_KEEPALIVE=60\n")
    systemd.does("start", ECHO_SOCKET)
    for _ in ("the one who starts it", "the next one"):
        with systemd.connect(7) as caller:
            caller.sendall(b"x")
            assert caller.recv(1) == b"x"
            port = caller.getsockname()[1]
            seen = systemd.run("ss", "-tnoH", "state", "established", "dport", "=", f":{port}")
            assert "timer:(keepalive" in seen.stdout


def test_opened_to_the_network_by_systemd_the_echo_needs_no_capability(
    systemd: OwnSystemd,
) -> None:
    """As the comment in the socket unit says; here the first caller comes by UDP."""
    told = edits(ECHO_SOCKET)
    assert sorted(told) == [ECHO, ECHO_SOCKET]
    for unit, text in told.items():
        systemd.edit(unit, text)
    systemd.does("start", ECHO_SOCKET)
    with systemd.datagrams(7) as caller:
        caller.send(b"the first of all")
        assert caller.recv(100) == b"the first of all"
    for host in LOOPBACK:
        answers(systemd, 7, host)
    with systemd.connect(7, "127.0.0.2") as caller:
        caller.sendall(b"to another address\n")
        assert read_line(caller) == b"to another address\n"
    is_shut_in(systemd, ECHO, capabilities=0)


def test_a_start_is_over_when_it_serves_and_a_reload_keeps_connections(
    systemd: OwnSystemd,
) -> None:
    systemd.does("start", CHAT)
    one, other = (systemd.connect(9000, host) for host in LOOPBACK)
    with one, other:
        systemd.does("reload", CHAT)
        until(lambda: systemd.log(CHAT), lambda seen: "socketsuite reloaded" in seen)
        one.sendall(b"still there\n")
        assert read_line(other) == b"-> still there\n"
        shown = until(
            lambda: systemd.shows(CHAT, "ActiveState", "SubState", "StatusText"),
            lambda seen: seen["SubState"] == "running" and "chat 2" in seen["StatusText"],
        )
        assert shown == {
            "ActiveState": "active",
            "SubState": "running",
            "StatusText": "serving; connections: socketsuite-chat 2",
        }
        is_shut_in(systemd, CHAT, capabilities=0)
        before = systemd.show(CHAT, "MainPID")
        systemd.does("restart", CHAT)
        with systemd.connect(9000):
            assert systemd.show(CHAT, "MainPID") != before
        assert read_all(one) == read_all(other) == b""
    assert "Failed" not in systemd.journal("--unit", CHAT)


def test_a_stop_lets_a_connection_finish(systemd: OwnSystemd) -> None:
    systemd.does("start", ECHO)
    answer = b"the whole of it, " * 1000
    with systemd.connect(7) as caller:
        systemd.does("stop", "--no-block", ECHO)
        until(lambda: systemd.log(ECHO), lambda seen: "draining connections=1" in seen)
        with pytest.raises(ConnectionRefusedError):
            systemd.connect(7)
        caller.sendall(answer)
        assert systemd.show(ECHO, "ActiveState") == "deactivating"
        caller.shutdown(socket.SHUT_WR)
        assert read_all(caller) == answer
    until(lambda: systemd.show(ECHO, "ActiveState"), "inactive".__eq__)
    assert systemd.shows(ECHO, *ENDED_WELL) == ENDED_WELL
    assert "stopped aborted=0" in systemd.log(ECHO)


def test_a_drain_may_take_longer_than_the_unit_allows_and_to_cut_off_is_no_failure(
    systemd: OwnSystemd,
) -> None:
    systemd.edit(ECHO, "[Service]\nTimeoutStopSec=1\n")
    systemd.write("/etc/default/socketsuite-echo", "SOCKETSUITE_ECHO_DRAIN_TIMEOUT=1.4\n")
    systemd.does("start", ECHO)
    with systemd.connect(7) as caller:
        caller.sendall(b"x\n")
        assert read_line(caller) == b"x\n"
        systemd.does("stop", ECHO)
        with pytest.raises(ConnectionResetError):
            read_all(caller)
    assert systemd.shows(ECHO, *ENDED_WELL) == ENDED_WELL
    assert "stopped aborted=1" in systemd.log(ECHO)


def test_tls_with_a_key_that_only_root_may_read(systemd: OwnSystemd) -> None:
    """As the comment in the chat's unit says."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    systemd.write("/etc/socketsuite/cert.pem", chain.decode())
    systemd.write("/etc/socketsuite/key.pem", issued.private_key_pem.bytes().decode())
    systemd.at("/etc/socketsuite").chmod(0o700)
    ((unit, text),) = edits(CHAT).items()
    systemd.edit(f"{unit}.service", text)
    systemd.does("start", CHAT)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    one, other = (
        context.wrap_socket(systemd.connect(9000), server_hostname="localhost") for _ in range(2)
    )
    with one, other:
        systemd.does("reload", CHAT)
        until(lambda: systemd.log(CHAT), lambda seen: "socketsuite reloaded" in seen)
        one.sendall(b"hello\n")
        assert read_line(other) == b"-> hello\n"


def test_the_suite_serves_what_its_file_says_and_keeps_its_files_in_its_own_folders(
    systemd: OwnSystemd,
) -> None:
    path = "/etc/socketsuite.toml"
    sample = systemd.at(path).read_text()
    # What the sample has for those who want it, but for what is not on every machine.
    wanted = sample
    for line in (
        "[filesink]",
        'file = "/var/lib/socketsuite/sink"',
        'unix = "/run/socketsuite/chat"',
    ):
        assert f"\n# {line}" in wanted, line
        wanted = wanted.replace(f"\n# {line}", f"\n{line}")
    systemd.write(path, wanted)
    systemd.does("start", SUITE)
    is_shut_in(systemd, SUITE, capabilities=0)
    for host in LOOPBACK:
        answers(systemd, 4007, host)
    with systemd.connect(9001) as staff:
        assert read_line(staff) == b"Staff only\n"
    with socket.socket(socket.AF_UNIX) as here, systemd.connect(9000) as there:
        here.settimeout(SECONDS)
        here.connect(str(systemd.at("/run/socketsuite/chat")))
        until(lambda: systemd.log(SUITE), lambda seen: "connected transport=unix" in seen)
        there.sendall(b"hello\n")
        assert read_line(here) == b"-> hello\n"
    with systemd.connect(4037) as caller:
        assert len(read_all(caller)) == 4
    with systemd.connect(40001) as sender:
        sender.sendall(b"all of it")
        sender.shutdown(socket.SHUT_WR)
        assert read_all(sender) == b""
    assert systemd.at("/var/lib/private/socketsuite/sink").read_bytes() == b"all of it"
    systemd.write(path, wanted.replace("[staff-chat]", '[staff-chat]\ndeny = ["127.0.0.1"]'))
    systemd.does("reload", SUITE)
    until(lambda: systemd.log(SUITE), lambda seen: "socketsuite reloaded" in seen)
    with systemd.connect(9001) as staff:
        assert read_all(staff) == b""
    systemd.does("stop", SUITE)
    assert systemd.show(SUITE, "Result") == "success"
    assert not systemd.at("/run/socketsuite").exists()


def test_the_watchdog_ends_a_daemon_that_is_stuck_and_no_other(systemd: OwnSystemd) -> None:
    systemd.edit(CHAT, "[Service]\nWatchdogSec=2\nRestartSec=100ms\n")
    systemd.does("start", CHAT)
    before = systemd.show(CHAT, "MainPID")
    with systemd.connect(9000):
        # Counts are told every 5 seconds, so by then it has lived for more than two periods.
        until(lambda: systemd.show(CHAT, "StatusText"), lambda seen: seen.endswith("chat 1"))
    shown = systemd.shows(CHAT, "MainPID", "NRestarts")
    assert shown == {"MainPID": before, "NRestarts": "0"}
    systemd.signal(CHAT, signal.SIGSTOP)
    until(lambda: systemd.show(CHAT, "NRestarts"), "1".__eq__)
    is_up(systemd, CHAT)
    assert "Failed with result 'watchdog'." in systemd.journal("--unit", CHAT)
    systemd.connect(9000).close()


def test_while_a_killed_service_is_started_again_nobody_is_refused(systemd: OwnSystemd) -> None:
    systemd.does("start", ECHO_SOCKET)
    answers(systemd, 7, "127.0.0.1")
    before = systemd.show(ECHO, "MainPID")
    systemd.signal(ECHO, signal.SIGKILL)
    until(lambda: systemd.show(ECHO, "MainPID"), lambda seen: seen != before)
    callers = [systemd.connect(7, host) for host in LOOPBACK * 10]
    datagrams = [systemd.datagrams(7, host) for host in LOOPBACK]
    for caller in (*callers, *datagrams):
        caller.sendall(b"meanwhile\n")
    for caller in (*callers, *datagrams):
        assert caller.recv(100) == b"meanwhile\n"
        caller.close()
    shown = systemd.shows(ECHO, "ActiveState", "NRestarts")
    assert shown == {"ActiveState": "active", "NRestarts": "1"}
    assert "status=9/KILL" in systemd.journal("--unit", ECHO)


@pytest.mark.parametrize(
    ("unit", "path", "text", "words"),
    [
        (
            CHAT,
            "/etc/default/socketsuite-chat",
            "SOCKETSUITE_CHAT_PROT=9001",
            "did you mean 'SOCKETSUITE_CHAT_PORT'?",
        ),
        (
            ECHO,
            "/etc/default/socketsuite-echo",
            "SOCKETSUITE_ECHO_PORT=seven",
            "allowed: a whole number from 0 to 65535",
        ),
        (SUITE, "/etc/socketsuite.toml", "[chat]\nprot = 9001", "did you mean 'port'?"),
    ],
    ids=["chat", "echo", "suite"],
)
def test_a_mistake_in_the_settings_is_one_line_and_no_start_is_tried_again(
    systemd: OwnSystemd, unit: str, path: str, text: str, words: str
) -> None:
    systemd.write(path, text + "\n")
    assert systemd.run("systemctl", "start", unit).returncode != 0
    shown = systemd.shows(unit, "ActiveState", "Result", "ExecMainStatus", "NRestarts")
    assert shown == {
        "ActiveState": "failed",
        "Result": "exit-code",
        "ExecMainStatus": "2",
        "NRestarts": "0",
    }
    # Twisted complains where it has not been able to note which plugins there are.
    (line,) = (line for line in systemd.log(unit).splitlines() if "plugin cache" not in line)
    assert words in line


def test_a_port_that_is_taken_is_tried_again_until_it_is_free(systemd: OwnSystemd) -> None:
    with systemd.within(lambda: socket.create_server(("127.0.0.1", 9000))):
        assert systemd.run("systemctl", "start", CHAT).returncode != 0
        assert systemd.show(CHAT, "ExecMainStatus") == "1"
        assert "port 9000: the address is in use" in systemd.log(CHAT)
    is_up(systemd, CHAT)
    systemd.connect(9000).close()


def test_the_journal_has_the_fields_of_an_event_when_the_log_goes_there(
    systemd: OwnSystemd,
) -> None:
    systemd.edit(ECHO, "[Service]\nEnvironment=SOCKETSUITE_ECHO_LOG_TO=journal\n")
    systemd.does("start", ECHO_SOCKET)
    with systemd.connect(7) as caller:
        caller.sendall(b"x")
        assert caller.recv(1) == b"x"
        peer = "{}:{}".format(*caller.getsockname())
    selection = (f"_SYSTEMD_UNIT={ECHO}", "SOCKETSUITE_EVENT=closed", f"PEER={peer}")

    def entries() -> str:
        return systemd.run("journalctl", "--output=json", "--no-pager", *selection).stdout

    closed = json.loads(until(entries, bool))
    assert closed["MESSAGE"].startswith(f"closed transport=tcp peer={peer} bytes_in=1 ")
    told = {"PRIORITY": "6", "SYSLOG_IDENTIFIER": "socketsuite-echo", "BYTES_IN": "1"}
    assert {name: closed[name] for name in told} == told
    assert closed["_TRANSPORT"] == "journal"
    assert "ready, pid" in systemd.log(ECHO)
