"""Where a real daemon takes its settings from, and how it says that one is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from socketsuite.testing import Daemon, read_line
from tests.daemons.conftest import Start

FREE_PORT = ("--port", "0")
KEY = 'rot13.toml, key "%s"'
NOT_VALID = "is not valid; allowed"
NEAR = "; did you mean 'sizes'?"


def rotated(daemon: Daemon) -> bytes:
    """Return what the daemon makes of an ``a``, which tells its ``--rotate``."""
    with daemon.connect() as caller:
        caller.sendall(b"a\n")
        return read_line(caller)


def test_an_environment_variable_sets_the_ports(launch: Start) -> None:
    daemon = launch("acme-rot13", env={"ACME_ROT13_PORT": "0, 0"}).wait_until_ready()
    assert len(set(daemon.ports())) == 2
    assert 9100 not in daemon.ports()
    assert rotated(daemon) == b"n\n"


def test_a_file_sets_the_ports(launch: Start, tmp_path: Path) -> None:
    (tmp_path / "rot13.toml").write_text("port = [0, 0]\nrotate = 1\n")
    daemon = launch("acme-rot13", "--config", "rot13.toml").wait_until_ready()
    assert len(set(daemon.ports())) == 2
    assert rotated(daemon) == b"b\n"


def test_the_file_itself_can_be_named_by_the_environment(launch: Start, tmp_path: Path) -> None:
    (tmp_path / "rot13.toml").write_text("port = 0\nrotate = 1\n")
    daemon = launch("acme-rot13", env={"ACME_ROT13_CONFIG": "rot13.toml"}).wait_until_ready()
    assert rotated(daemon) == b"b\n"


@pytest.mark.parametrize("table", ["chat", "socketsuite-chat"])
def test_a_daemon_reads_its_own_table_of_the_suites_file(
    launch: Start, tmp_path: Path, table: str
) -> None:
    (tmp_path / "all.toml").write_text(f"[{table}]\nport = [0, 0]\n[echo]\nport = 7\n")
    daemon = launch("socketsuite-chat", "--config", "all.toml").wait_until_ready()
    assert len(set(daemon.ports())) == 2


def test_a_flag_beats_the_environment_which_beats_the_file(launch: Start, tmp_path: Path) -> None:
    (tmp_path / "rot13.toml").write_text("port = 0\nrotate = 3\n")
    file = ("--config", "rot13.toml")
    two = {"ACME_ROT13_ROTATE": "2"}
    by_file = launch("acme-rot13", *file).wait_until_ready()
    by_environment = launch("acme-rot13", *file, env=two).wait_until_ready()
    by_flag = launch("acme-rot13", *file, "--rotate", "1", env=two).wait_until_ready()
    assert [rotated(one) for one in (by_flag, by_environment, by_file)] == [b"b\n", b"c\n", b"d\n"]


def refusal(daemon: Daemon) -> str:
    """Return the one line that a daemon which refuses to start says, without its ending."""
    assert daemon.wait() == 2
    assert "Traceback" not in daemon.log
    assert "listening" not in daemon.log
    line, end, rest = daemon.errors.partition(f"; see twistd {daemon.name} --help\n")
    assert end, daemon.errors
    assert "\n" not in line
    assert rest == ""
    return line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "rotat = 1",
            "unknown key 'rotat' (rot13.toml); did you mean 'rotate'?",
        ),
        (
            "rotate = 'x'",
            f"rotate = 'x' ({KEY % 'rotate'}) {NOT_VALID}: a whole number from 0 to 25",
        ),
        (
            "log-data = 'size'",
            f"log-data = 'size' ({KEY % 'log-data'}) {NOT_VALID}: off, sizes, payload{NEAR}",
        ),
        (
            "rotate = 1\nport = none\n",
            "rot13.toml is not valid TOML: Invalid value (at line 2, column 8)",
        ),
    ],
)
def test_a_mistake_in_the_file_is_one_line_and_status_2(
    launch: Start, tmp_path: Path, text: str, line: str
) -> None:
    (tmp_path / "rot13.toml").write_text(text)
    daemon = launch("acme-rot13", *FREE_PORT, "--config", "rot13.toml")
    assert refusal(daemon) == f"acme-rot13: {line}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--rotat", "1"), "No such option"),
        (("--rotat", "1"), "--rotate"),
        (("--rotate", "x"), "rotate = 'x' (--rotate) is not valid; allowed: a whole number"),
        (("--rotate",), "Option '--rotate' requires an argument"),
        (("--port", "70000"), "port = '70000' (--port) is not valid; allowed: a whole number from"),
        (("--config", "none.toml"), "cannot read none.toml (--config): no such file or directory"),
        (("stray",), "unexpected extra argument"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_and_status_2(
    launch: Start, arguments: tuple[str, ...], words: str
) -> None:
    assert words in refusal(launch("acme-rot13", *FREE_PORT, *arguments))


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        (
            "ACME_ROT13_ROTAT",
            "1",
            "unknown environment variable 'ACME_ROT13_ROTAT'; did you mean 'ACME_ROT13_ROTATE'?",
        ),
        (
            "ACME_ROT13_ROTATE",
            "\x1b[2J",
            rf"rotate = '\x1b[2J' (ACME_ROT13_ROTATE) {NOT_VALID}: a whole number from 0 to 25",
        ),
    ],
)
def test_a_mistake_in_the_environment_is_one_line_and_status_2(
    launch: Start, variable: str, value: str, line: str
) -> None:
    daemon = launch("acme-rot13", *FREE_PORT, env={variable: value})
    assert refusal(daemon) == f"acme-rot13: {line}"


def test_a_built_in_service_refuses_an_unknown_variable_in_the_same_words(launch: Start) -> None:
    daemon = launch("socketsuite-echo", *FREE_PORT, env={"SOCKETSUITE_ECHO_PREFX": "x"})
    assert "did you mean 'SOCKETSUITE_ECHO_PREFIX'?" in refusal(daemon)


def test_a_service_link_that_kubernetes_sets_is_told_apart_from_a_typing_error(
    launch: Start,
) -> None:
    links = {
        "ACME_ROT13_SERVICE_HOST": "10.0.0.1",
        "ACME_ROT13_SERVICE_PORT": "9100",
        "ACME_ROT13_PORT": "tcp://10.0.0.1:9100",
        "ACME_ROT13_PORT_9100_TCP": "tcp://10.0.0.1:9100",
    }
    bare = launch("acme-rot13", env={"ACME_ROT13_PORT": "tcp://10.0.0.1:9100"})
    for daemon in (bare, launch("acme-rot13", env=links)):
        line = refusal(daemon)
        assert "ACME_ROT13_PORT looks like a service link" in line
        assert "turn service links off" in line


def test_a_time_may_be_said_with_units_in_a_flag_a_variable_and_a_file(
    launch: Start, tmp_path: Path
) -> None:
    (tmp_path / "rot13.toml").write_text('port = 0\nidle-timeout = "250ms"\n')
    variable = {"ACME_ROT13_IDLE_TIMEOUT": "250ms"}
    for daemon in (
        launch("acme-rot13", *FREE_PORT, "--idle-timeout", "250ms").wait_until_ready(),
        launch("acme-rot13", *FREE_PORT, env=variable).wait_until_ready(),
        launch("acme-rot13", "--config", "rot13.toml").wait_until_ready(),
    ):
        with daemon.connect() as caller:
            assert caller.recv(100) == b""
        daemon.wait_for_line("reason=idle_timeout")
