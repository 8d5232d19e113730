"""Several services in one process, from one file: the sample in etc/, and wrong files."""

from __future__ import annotations

import re
import socket
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from socketsuite.testing import Daemon, read_all, read_exactly, read_line
from tests.daemons.conftest import Start

SAMPLE = Path(__file__).parents[2] / "etc" / "socketsuite.toml"
LoadSuite = Callable[[str], Daemon]


@pytest.fixture
def suite(launch: Start, tmp_path: Path) -> LoadSuite:
    """Start ``twistd -n socketsuite`` with a file of the given text."""

    def start(text: str) -> Daemon:
        (tmp_path / "suite.toml").write_text(text)
        return launch("socketsuite", "--config", "suite.toml")

    return start


@pytest.fixture
def sample(suite: LoadSuite) -> Daemon:
    """The sample of etc/, as it is but for its port numbers."""
    text, replaced = re.subn(r"^port = \d+", "port = 0", SAMPLE.read_text(), flags=re.MULTILINE)
    assert replaced == len(tomllib.loads(text))
    return suite(text).wait_until_ready()


def port_of(daemon: Daemon, service: str, transport: str = "tcp") -> int:
    pattern = rf" {service} listening transport={transport} address=127.0.0.1 port=(\d+)"
    return int(daemon.wait_for_line(pattern)[1])


def test_every_table_of_the_sample_is_a_service_on_the_air(sample: Daemon) -> None:
    services = set(re.findall(r" (\S+) listening", sample.log))
    tables = tomllib.loads(SAMPLE.read_text())
    assert services == {
        name if "service" in table else f"socketsuite-{name}" for name, table in tables.items()
    }
    assert sample.stop() == 0


def test_the_samples_echo_answers_over_tcp_and_udp_on_one_port_number(sample: Daemon) -> None:
    port = port_of(sample, "socketsuite-echo")
    assert port_of(sample, "socketsuite-echo", "udp") == port
    with sample.connect(port=port) as caller:
        caller.sendall(b"hello")
        caller.shutdown(socket.SHUT_WR)
        assert read_all(caller) == b"hello"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.settimeout(20)
        caller.connect(("127.0.0.1", port))
        caller.send(b"datagram")
        assert caller.recv(100) == b"datagram"


def test_the_samples_clocks_tell_universal_time_and_the_seconds_since_1900(
    sample: Daemon,
) -> None:
    with sample.connect(port=port_of(sample, "socketsuite-daytime")) as caller:
        assert read_all(caller).endswith(b" UTC\r\n")
    with sample.connect(port=port_of(sample, "socketsuite-time")) as caller:
        assert len(read_all(caller)) == 4


def test_the_samples_accumulator_stops_at_the_largest_int32(sample: Daemon) -> None:
    with sample.connect(port=port_of(sample, "socketsuite-accumulator")) as caller:
        caller.sendall((2**31 - 1).to_bytes(4, "little") * 2)
        assert read_exactly(caller, 4) == (2**31 - 1).to_bytes(4, "little")


def test_a_service_that_runs_twice_is_two_rooms_with_settings_of_their_own(
    sample: Daemon,
) -> None:
    everybody, staff = port_of(sample, "socketsuite-chat"), port_of(sample, "staff-chat")
    assert everybody != staff
    with (
        sample.connect(port=everybody) as ann,
        sample.connect(port=everybody) as ben,
        sample.connect(port=staff) as cleo,
        sample.connect(port=staff) as dan,
    ):
        assert read_line(cleo) == read_line(dan) == b"Staff only\n"
        ben.sendall(b"for everybody\n")
        assert read_line(ann) == b"-> for everybody\n"
        dan.sendall(b"for the staff\n")
        assert read_line(cleo) == b"-> for the staff\n"


def test_the_environment_wins_over_a_services_table(launch: Start, tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text("[echo]\nport = 0\nprefix = 'file '\n")
    environ = {"SOCKETSUITE_ECHO_PREFIX": "environment "}
    daemon = launch("socketsuite", "--config", "suite.toml", env=environ).wait_until_ready()
    with daemon.connect() as caller:
        caller.sendall(b"!")
        assert read_exactly(caller, 13) == b"environment !"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "[chatt]\nport = 0",
            "no service is called 'chatt' (suite.toml, table [chatt]); did you mean 'chat'?",
        ),
        (
            "[lounge]\nservice = 'caht'",
            "no service is called 'caht' (suite.toml, table [lounge]); did you mean 'chat'?",
        ),
        (
            "[chat]\nport = 0\n[echo]\nbannner = 'x'",
            "unknown key 'bannner' (suite.toml, table [echo]); did you mean 'banner'?",
        ),
        (
            "[chat]\nport = 'x'",
            "port = 'x' (suite.toml, table [chat], key \"port\") is not valid; allowed: a whole",
        ),
        (
            "port = 9000",
            "key 'port' stands outside of a service's table, such as [chat] (suite.toml)",
        ),
        ("", "suite.toml names no service; write a table such as [chat]"),
        (
            "[chat]\nlog-format = 'json'\n[echo]\nport = 0",
            "log-format is a setting of the process, in which several services run (suite.toml, ta",
        ),
        ("[filesink]\nport = 0", "file is needed: write file = … in suite.toml, table [filesink]"),
    ],
)
def test_a_wrong_file_is_one_line_and_status_2(suite: LoadSuite, text: str, line: str) -> None:
    daemon = suite(text)
    assert daemon.wait() == 2
    assert daemon.errors.startswith(f"socketsuite: {line}")
    assert daemon.errors.count("\n") == 1
    assert "listening" not in daemon.log


# ── settings of the process ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", ["socketsuite", "socketsuite-chat"])
def test_the_processs_settings_stand_at_the_top_for_the_suite_and_for_one_daemon(
    launch: Start, tmp_path: Path, command: str
) -> None:
    (tmp_path / "all.toml").write_text(
        "log-format = 'json'\nmetrics_port = 0\n[chat]\nport = 0\n[echo]\nport = 0\n"
    )
    daemon = launch(command, "--config", "all.toml")
    daemon.wait_for_line('"message":"ready')
    assert any("metrics http://127.0.0.1:" in line for line in daemon.lines)
    assert ('"service":"socketsuite-echo"' in daemon.log) == (command == "socketsuite")


@pytest.mark.parametrize("command", ["socketsuite", "socketsuite-chat"])
def test_they_may_stand_in_the_table_of_the_only_service(
    launch: Start, tmp_path: Path, command: str
) -> None:
    (tmp_path / "chat.toml").write_text("[chat]\nport = 0\nlog-format = 'json'\n")
    daemon = launch(command, "--config", "chat.toml")
    daemon.wait_for_line('"message":"ready')


@pytest.mark.parametrize("command", ["socketsuite", "socketsuite-chat"])
def test_a_setting_of_the_process_that_is_said_twice_is_refused(
    launch: Start, tmp_path: Path, command: str
) -> None:
    (tmp_path / "a.toml").write_text("log-format = 'json'\n[chat]\nlog_format = 'text'\n")
    daemon = launch(command, "--config", "a.toml")
    assert daemon.wait() == 2
    twice = 'a.toml, key "log-format"; a.toml, table [chat], key "log_format"'
    assert f"log-format is said twice ({twice})" in daemon.errors


def test_a_setting_of_a_service_at_the_top_is_refused_by_one_daemon_as_by_the_suite(
    launch: Start, tmp_path: Path
) -> None:
    (tmp_path / "all.toml").write_text("port = 0\n[chat]\nbanner = 'x'\n")
    said = []
    for command in ("socketsuite", "socketsuite-chat"):
        daemon = launch(command, "--config", "all.toml")
        assert daemon.wait() == 2
        said.append(daemon.errors.partition(": ")[2].partition(";")[0])
    assert said[0] == said[1]
    assert said[0] == "key 'port' stands outside of a service's table, such as [chat] (all.toml)"


def test_a_daemon_says_once_for_which_service_a_file_of_others_has_no_table(
    launch: Start, tmp_path: Path
) -> None:
    (tmp_path / "all.toml").write_text("log-format = 'json'\n[echo]\nport = 0\n")
    daemon = launch("socketsuite-chat", "--config", "all.toml")
    assert daemon.wait() == 2
    line = "all.toml has tables for other services only; write one named 'chat' in it"
    assert daemon.errors.startswith(f"socketsuite-chat: {line}; ")


def test_a_variable_for_the_process_is_told_from_one_for_a_service(
    launch: Start, tmp_path: Path
) -> None:
    (tmp_path / "all.toml").write_text("[chat]\nport = 0\n")
    said = {"SOCKETSUITE_CHAT_LOG_FORMAT": "json"}
    daemon = launch("socketsuite", "--config", "all.toml", env=said)
    assert daemon.wait() == 2
    assert "SOCKETSUITE_CHAT_LOG_FORMAT would be for the whole process" in daemon.errors
    assert "write log-format = … at the top of the file" in daemon.errors
    typo = launch("socketsuite", "--config", "all.toml", env={"SOCKETSUITE_LOG_FORMTA": "json"})
    assert typo.wait() == 2
    assert "'SOCKETSUITE_LOG_FORMTA'; did you mean 'SOCKETSUITE_LOG_FORMAT'?" in typo.errors


def test_an_error_at_the_start_says_whose_it_is(suite: LoadSuite) -> None:
    daemon = suite("[chat]\nport = 0\n[filesink]\nport = 0\nfile = '/tmp'\n")
    assert daemon.wait() == 1
    assert daemon.errors.startswith(
        "socketsuite: socketsuite-filesink: cannot append to /tmp: it is"
    )


def test_two_file_sinks_with_the_same_folder_are_one_line_and_status_1(
    suite: LoadSuite, tmp_path: Path
) -> None:
    table = "[{0}]\nservice = 'socketsuite-filesink'\nport = 0\nfile = '{1}/{{{2}}}'\n"
    text = table.format("one", tmp_path, "peer") + table.format("two", tmp_path, "date")
    daemon = suite(text)
    assert daemon.wait() == 1
    (line,) = daemon.errors.splitlines()
    assert line == (
        f"socketsuite: two: cannot append to {tmp_path}/{{date}}: another sink has"
        f" {tmp_path}/{{peer}}: give each a folder of its own"
    )


def test_without_a_file_there_is_nothing_to_run(launch: Start) -> None:
    daemon = launch("socketsuite")
    assert daemon.wait() == 2
    assert daemon.errors.startswith("socketsuite: --config FILE.toml is needed")


def test_when_one_service_cannot_start_none_does(suite: LoadSuite, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = holder.getsockname()[1]
        daemon = suite(f"[chat]\nport = 0\nunix = 'chat'\n[echo]\nport = {taken}\n")
        assert daemon.wait() == 1
    assert f"TCP port {taken}: the address is in use" in daemon.errors
    assert daemon.errors.count("\n") == 1
    assert "listening" not in daemon.log
    assert not (tmp_path / "chat").exists()
