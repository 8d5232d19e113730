"""Daemons started by ``twist``, or by ``twistd`` in the background."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.daemons.started import BIN, in_background, is_alive, is_echoed, running
from tests.support.admin import until
from tests.support.outside import SECONDS

TWIST = (BIN / "twist",)
MODULE = (sys.executable, "-m", "twisted")
ECHO = ("socketsuite-echo", "--unix", "door")
OUR_LINE = re.compile(r"[-\d]{10}T[:\d]{8}\.\d{3}Z \S+ .*")
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


@pytest.fixture
def door(tmp_path: Path) -> Path:
    return tmp_path / "door"


@pytest.fixture
def taken() -> Iterator[str]:
    """A port that somebody else has."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield str(other.getsockname()[1])


def served_and_ended(tmp_path: Path, door: Path, *command: str | Path) -> str:
    """Run a daemon that serves and ends at SIGTERM; return what it logged on standard output."""
    with running(tmp_path, *command, **PIPES) as process:
        is_echoed(door)
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=SECONDS)
        assert (process.returncode, errors) == (0, b"")
    return str(out.decode())


# ── twist ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("program", [TWIST, MODULE], ids=["twist", "python -m twisted"])
def test_twist_serves_logs_as_we_do_and_drains(
    tmp_path: Path, door: Path, program: tuple[str, ...]
) -> None:
    log = served_and_ended(tmp_path, door, *program, *ECHO)
    lines = log.splitlines()
    assert all(OUR_LINE.fullmatch(line) for line in lines), log
    for word in (" listening ", " ready, ", " connected ", " closed ", " draining "):
        assert word in log
    assert lines[-1].endswith("socketsuite-echo stopped aborted=0")
    assert not door.exists()
    assert list(tmp_path.iterdir()) == []


def test_twist_serves_several_from_one_file(tmp_path: Path, door: Path) -> None:
    (tmp_path / "suite.toml").write_text("[echo]\nunix = ['door']\n[chat]\nport = 0\n")
    command = (*TWIST, "socketsuite", "--config", "suite.toml")
    log = served_and_ended(tmp_path, door, *command)
    assert "socketsuite-echo listening" in log
    assert "socketsuite-chat listening" in log


def test_twist_lets_a_drain_finish(tmp_path: Path, door: Path) -> None:
    with running(tmp_path, *TWIST, *ECHO, **PIPES) as process:
        is_echoed(door)
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(SECONDS)
            caller.connect(str(door))
            caller.sendall(b"a")
            assert caller.recv(1) == b"a"
            process.send_signal(signal.SIGTERM)
            until(door.exists, lambda exists: not exists)
            caller.sendall(b"b")
            assert caller.recv(1) == b"b"
        assert process.wait(SECONDS) == 0


def test_under_twist_our_own_options_say_how_to_log(tmp_path: Path, door: Path) -> None:
    options = ("--log-format", "json", "--log-to", "log")
    assert served_and_ended(tmp_path, door, *TWIST, *ECHO, *options) == ""
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {"listening", "connected", "closed", "stopped"} <= {one.get("event") for one in events}


def test_twists_own_options_say_how_to_log_where_they_are_used(tmp_path: Path, door: Path) -> None:
    as_json = served_and_ended(tmp_path, door, *TWIST, "--log-format", "json", *ECHO)
    records = [json.loads(part) for part in as_json.replace("\x1e", "").splitlines()]
    assert all("log_format" in record for record in records)
    to_file = served_and_ended(tmp_path, door, *TWIST, "--log-file=theirs", *ECHO)
    assert to_file == ""
    assert "stopped aborted=0" in (tmp_path / "theirs").read_text()


def test_twists_log_level_holds_for_our_log(tmp_path: Path, door: Path) -> None:
    assert served_and_ended(tmp_path, door, *TWIST, "--log-level", "warn", *ECHO) == ""


def test_under_twist_what_the_machine_refuses_is_one_line_and_status_1(
    tmp_path: Path, taken: str
) -> None:
    command = (*TWIST, "socketsuite-echo", "--port", taken)
    with running(tmp_path, *command, **PIPES) as process:
        _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert errors.count(b"\n") == 1
    assert f"port {taken}: the address is in use".encode() in errors


def test_under_twist_what_was_said_wrongly_is_one_line_and_status_2(tmp_path: Path) -> None:
    command = (*TWIST, "socketsuite-echo", "--prot", "1")
    with running(tmp_path, *command, **PIPES) as process:
        out, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, out, errors.count(b"\n")) == (2, b"", 1)
    assert errors.endswith(b"see twist socketsuite-echo --help\n")


# ── warnings ─────────────────────────────────────────────────────────────────────────────


def test_where_warnings_are_errors_there_is_nothing_to_complain_of(
    tmp_path: Path, door: Path
) -> None:
    issued = trustme.CA().issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "cert.pem"))
    more = ("--log-to", "log", "--metrics-port", "0", "--tls-cert", "cert.pem")
    command = (BIN / "twistd", "-n", *ECHO, *more)
    env = {**os.environ, "PYTHONWARNINGS": "error"}
    with running(tmp_path, *command, **PIPES, env=env) as process:
        is_echoed(door)
        (tmp_path / "log").rename(tmp_path / "log.1")
        process.send_signal(signal.SIGHUP)
        until((tmp_path / "log").exists, bool)
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (0, b"")
    assert errors == b""
    assert " warn " not in (tmp_path / "log.1").read_text() + (tmp_path / "log").read_text()


# ── in the background ───────────────────────────────────────────────────────────────────


def ended(pid: int, folder: Path) -> None:
    """End it as the documents say, and wait for that."""
    subprocess.run(["sh", "-c", "kill $(cat twistd.pid)"], cwd=folder, check=True)
    until(lambda: is_alive(pid), lambda alive: not alive)
    assert not (folder / "twistd.pid").exists()


def test_in_the_background_there_are_a_pid_file_and_twistds_own_log(
    tmp_path: Path, door: Path
) -> None:
    with in_background(tmp_path, *ECHO) as pid:
        is_echoed(door)
        ended(pid, tmp_path)
    log = (tmp_path / "twistd.log").read_text()
    assert "[socketsuite-echo#info] stopped aborted=0" in log
    assert [path.name for path in tmp_path.iterdir()] == ["twistd.log"]


def test_a_check_beside_a_daemon_in_the_background_leaves_it_and_its_pid_file_alone(
    tmp_path: Path, door: Path
) -> None:
    with in_background(tmp_path, *ECHO) as pid:
        for more, status in (((), 0), (("--tls-cert", "missing"), 1)):
            command = (BIN / "twistd", *ECHO, "--check-config", *more)
            with running(tmp_path, *command, **PIPES) as process:
                process.communicate(timeout=SECONDS)
            assert process.returncode == status
        assert (tmp_path / "twistd.pid").read_text() == str(pid)
        is_echoed(door)
        ended(pid, tmp_path)


@pytest.mark.parametrize("form", ["text", "json"])
def test_in_the_background_the_form_of_twistds_log_is_as_was_said(
    tmp_path: Path, door: Path, form: str
) -> None:
    with in_background(tmp_path, *ECHO, "--log-format", form) as pid:
        is_echoed(door)
        ended(pid, tmp_path)
    lines = (tmp_path / "twistd.log").read_text().splitlines()
    if form == "json":
        assert [json.loads(line).get("event") for line in lines][-1] == "stopped"
    else:
        assert all(OUR_LINE.fullmatch(line) for line in lines)
        assert lines[-1].endswith("socketsuite-echo stopped aborted=0")


def test_in_the_background_the_log_goes_where_was_said_wherever_that_is_relative_to(
    tmp_path: Path,
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    log = tmp_path / "log"
    arguments = ("--rundir", "elsewhere", "--pidfile", str(tmp_path / "twistd.pid"), *ECHO)
    with in_background(tmp_path, *arguments, "--log-to", "log") as pid:
        is_echoed(elsewhere / "door")
        log.rename(tmp_path / "log.1")
        os.kill(pid, signal.SIGHUP)
        until(lambda: log.exists() and " reloaded" in log.read_text(), bool)
        ended(pid, tmp_path)
    assert " starting up." in (tmp_path / "log.1").read_text()
    assert "stopped aborted=0" in log.read_text()
    assert list(elsewhere.iterdir()) == []
    assert not (tmp_path / "twistd.log").exists()


def test_twistds_option_for_the_log_comes_first_in_the_background_too(
    tmp_path: Path, door: Path
) -> None:
    options = ("--log-format", "json", "--log-to", "ours")
    with in_background(tmp_path, "--logfile", "theirs", *ECHO, *options) as pid:
        is_echoed(door)
        ended(pid, tmp_path)
    assert "#info] stopped aborted=0" in (tmp_path / "theirs").read_text()
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize("where", ["stdout", "stderr", "journal"])
def test_a_log_that_the_background_does_not_have_is_refused(tmp_path: Path, where: str) -> None:
    command = (BIN / "twistd", *ECHO, "--log-to", where)
    with running(tmp_path, *command, **PIPES) as process:
        _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert errors.count(b"\n") == 1
    assert f"the log cannot go to {where} in the background".encode() in errors
    assert list(tmp_path.iterdir()) == []


def test_in_the_background_a_long_cause_is_cut_at_a_word_and_whole_in_the_log(
    tmp_path: Path,
) -> None:
    folder = "no such folder " * 7
    arguments = (*ECHO[:1], "--port", "0", "--admin", f"{folder}/admin")
    with running(tmp_path, BIN / "twistd", *arguments, **PIPES) as process:
        _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    first = errors.decode().splitlines()[0]
    found = re.fullmatch(r"An error has occurred: b'(.*) (\w+)\.\.\.'", first)
    assert found is not None, first
    assert found[2] in ("no", "such", "folder")
    log = (tmp_path / "twistd.log").read_text()
    assert found[1] in log
    assert f"{folder}/admin" in log
    assert "..." not in log.partition("cannot listen")[2]
    assert not (tmp_path / "twistd.pid").exists()


def test_in_the_background_the_cause_is_told_and_the_cure_is_in_the_log(
    tmp_path: Path, taken: str
) -> None:
    arguments = ("socketsuite-echo", "--port", taken)
    with running(tmp_path, BIN / "twistd", *arguments, **PIPES) as process:
        _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert f"port {taken}: the address is in use'".encode() in errors
    assert "; say another --port" in (tmp_path / "twistd.log").read_text()
