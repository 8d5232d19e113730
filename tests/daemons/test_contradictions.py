"""What is wrong on any machine is one line and status 2, in the words in which it was said.

The command line is parsed in the test's own process: nothing else of a daemon has begun by then.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from socketsuite.service import installed_services
from socketsuite.testing import Daemon
from tests.daemons.conftest import Start


def one_line(name: str, errors: str) -> str:
    """Return the line for a mistake, without name and ending."""
    line, end, rest = errors.partition(f"; see twistd {name} --help\n")
    assert (end != "", rest) == (True, ""), errors
    assert "\n" not in line
    assert not line.removeprefix(f"{name}: ").startswith(f"{name}: ")
    return line.removeprefix(f"{name}: ")


def refusal(daemon: Daemon) -> str:
    """Return the one line of a daemon that was told something wrong."""
    assert daemon.wait() == 2, daemon.log + daemon.errors
    assert "Traceback" not in daemon.log + daemon.errors
    assert "listening" not in daemon.log
    return one_line(daemon.name, daemon.errors)


Refused = Callable[..., str]


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Refused:
    """Return the one line for socketsuite-echo with these arguments and variables."""
    monkeypatch.chdir(tmp_path)

    def parse(*arguments: str, **variables: str) -> str:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        plugin: Any = installed_services()["socketsuite-echo"]
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            plugin.options().parseOptions(list(arguments))
        assert ended.value.code == 2
        said = capfd.readouterr()
        assert said.out == ""
        return one_line("socketsuite-echo", said.err)

    return parse


ENDPOINT = "a Twisted server endpoint such as tcp:9000 or unix:/run/chat.sock"
ADDRESS = "an IPv4 or IPv6 address of this machine, such as 127.0.0.1, ::1, 0.0.0.0 or ::"
FLAGS = {
    "--tls-key k.pem": "--tls-key needs --tls-cert FILE beside it",
    "--tls-client-ca ca.pem": "--tls-client-ca needs --tls-cert FILE beside it",
    "--tls-client-certificates optional": (
        "--tls-client-certificates needs --tls-client-ca FILE beside it"
    ),
    "--interface localhost": f"'localhost' (--interface) is not valid; allowed: {ADDRESS}",
    "--interface=": f"interface = '' (--interface) is not valid; allowed: {ADDRESS}",
    "--interface 300.1.1.1": "interface = '300.1.1.1' (--interface) is not valid; ",
    "--port 9000 --port 9001 --port 9000": "port 9000 is given twice (--port)",
    "--unix a --unix a": "unix a is given twice (--unix)",
    "--interface :: --interface 127.0.0.1": "interface :: and 127.0.0.1 overlap (--interface)",
    "--interface ::1 --interface 0:0::1": "interface ::1 and 0:0::1 overlap (--interface); say one",
    "--send-queue-soft 2M --send-queue 1M": (
        "--send-queue-soft is 2097152 bytes, more than the 1048576 of --send-queue"
    ),
    "--send-queue-soft 65M": "--send-queue-soft is 68157440 bytes, more than the 67108864 of",
    "--no-tcp --no-udp": "--no-tcp and --no-udp leave nothing to serve",
    "--metrics-port 9000 --port 9000": (
        "socketsuite-echo and metrics-port would both listen on TCP port 9000 of 127.0.0.1"
    ),
    "--metrics-port 9000 --port 9000 --interface ::": (
        "socketsuite-echo and metrics-port would both listen on TCP port 9000 of ::;"
    ),
    "--admin a --unix a": "socketsuite-echo and admin would both listen on Unix socket a; give",
    "--config=": "--config is empty; say which file, or leave it out",
    "--listen tcp:": f"listen = 'tcp:' (--listen) is not valid; allowed: {ENDPOINT} (a number is m",
    "--listen tcp": f"allowed: {ENDPOINT} (its port is missing)",
    "--listen=": f"allowed: {ENDPOINT} (the kind before the first colon is missing)",
    "--listen 9000": f"allowed: {ENDPOINT} (no endpoint is of the kind '9000')",
    "--listen tcp:http": f"allowed: {ENDPOINT} ('http' is not a number)",
    "--listen tcp:70000": f"allowed: {ENDPOINT} (70000 is not a port number from 0 to 65535)",
    "--listen haproxy:tcp:-1": f"allowed: {ENDPOINT} (-1 is not a port number from 0 to 65535)",
    "--listen tcp:80:colour=red": f"allowed: {ENDPOINT} (it has no argument colour)",
    "--listen unix:": f"allowed: {ENDPOINT} (its path is missing)",
    "--listen tcp:0 --listen tcp:0": "listen tcp:0 is given twice (--listen)",
    "--receive-buffer 2G": "receive-buffer = '2G' (--receive-buffer) is not valid; allowed: a n",
    "--send-buffer 99G": "such as 65536, 64K or 1M, less than 2G",
    "--unix-mode 0o1000": "unix-mode = '0o1000' (--unix-mode) is not valid; allowed: an octal file",
}


@pytest.mark.parametrize("flags", FLAGS)
def test_a_contradiction_of_flags_is_one_line_and_status_2(refused: Refused, flags: str) -> None:
    assert FLAGS[flags] in refused(*flags.split(), "--check-config")


def test_a_process_ends_by_that_line_too(launch: Start) -> None:
    flags = next(iter(FLAGS))
    assert FLAGS[flags] == refusal(launch("socketsuite-echo", *flags.split()))


TABLE = "echo.toml, table [echo]"
FILES = {
    "tls-key = 'k.pem'": f'{TABLE}, key "tls-key" needs tls-cert FILE beside it',
    "port = []": f'port ({TABLE}, key "port") is empty; leave it out, or say where to listen',
    "interface = []": f'interface ({TABLE}, key "interface") is empty',
    "port = [9000, 9000]": f'port 9000 is given twice ({TABLE}, key "port")',
    "tcp = false\nudp = false": f'{TABLE}, key "tcp" and {TABLE}, key "udp" leave nothing to serve',
    "send_queue_soft = '1M'\nsend_queue = 10": (
        f'{TABLE}, key "send_queue_soft" is 1048576 bytes, more than the 10 of {TABLE}, key "send_q'
    ),
    "port = true": f'port = true ({TABLE}, key "port") is not valid; allowed: a whole number',
    "port = 9000.0": f'port = 9000.0 ({TABLE}, key "port") is not valid; allowed: a whole number',
    "port = 2026-11-21": f'port = 2026-11-21 ({TABLE}, key "port") is not valid; allowed: a whole',
    "port = nan": f'port = nan ({TABLE}, key "port") is not valid; allowed: a whole number',
    "keepalive = inf": f'keepalive = inf ({TABLE}, key "keepalive") is not valid; allowed: sec',
    f"port = {'9' * 4000}": f'({TABLE}, key "port") is not valid; allowed: a whole number from 0',
    "unix-mode = true": f'unix-mode = true ({TABLE}, key "unix-mode") is not valid; allowed: an',
    "unix-mode = 440": f'unix-mode = 440 ({TABLE}, key "unix-mode") is not valid; allowed: an',
    "[echo.port]\nx = 1": f"port = {{'x': 1}} ({TABLE}, key \"port\") is not valid; allowed: a who",
    "[echo.deep]\nx = 1": f"unknown key 'deep' ({TABLE})",
    "[[chat]]\nport = 1": "echo.toml has a list of tables [[chat]]; write [chat], once",
    "[echo]\nport = 1": "echo.toml is not valid TOML: Cannot declare ('echo',) twice (at line 2",
    "[socketsuite-echo]": "echo.toml has two tables for this service: [socketsuite-echo] and",
    "service = 'chat'": "echo.toml has tables for other services only; write one named 'echo'",
    f"port = {'9' * 5000}": "echo.toml is not valid TOML: ",
    f"port = {'[' * 5000}": "echo.toml is not valid TOML: too many brackets nested",
}


@pytest.mark.parametrize("text", FILES, ids=lambda text: text[:30])
def test_a_contradiction_in_a_file_names_its_table_and_key(
    refused: Refused, tmp_path: Path, text: str
) -> None:
    (tmp_path / "echo.toml").write_text(f"[echo]\n{text}\n")
    line = refused("--config", "echo.toml", "--check-config")
    assert FILES[text] in line
    assert "--" not in line
    assert len(line) < 1000


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("TLS_KEY", "k.pem", "SOCKETSUITE_ECHO_TLS_KEY needs tls-cert FILE beside it"),
        ("PORT", "", "port (SOCKETSUITE_ECHO_PORT) is empty"),
        ("PORT", "1, 1", "port 1 is given twice (SOCKETSUITE_ECHO_PORT)"),
        ("CONFIG", "", "SOCKETSUITE_ECHO_CONFIG is empty; say which file, or leave it out"),
        ("CHECK_CONFIG", "1", "unknown environment variable 'SOCKETSUITE_ECHO_CHECK_CONFIG'"),
        ("METRICS_PORT", "", "metrics-port = '' (SOCKETSUITE_ECHO_METRICS_PORT) is not valid"),
        ("BANNER", "\udcff", "banner (SOCKETSUITE_ECHO_BANNER) is not valid; allowed: text"),
        ("LISTEN", "tcp:x", "listen (SOCKETSUITE_ECHO_LISTEN) is not valid; allowed: a Twisted s"),
    ],
)
def test_a_contradiction_in_the_environment_names_the_variable(
    refused: Refused, variable: str, value: str, words: str
) -> None:
    assert words in refused("--check-config", **{f"SOCKETSUITE_ECHO_{variable}": value})


def test_a_hard_queue_below_the_default_of_the_soft_one_is_no_contradiction(launch: Start) -> None:
    assert launch("socketsuite-echo", "--send-queue", "10K", "--check-config").wait() == 0


# ── the file itself ─────────────────────────────────────────────────────────────────────

NOT_FILES = {
    "a FIFO": "cannot read fifo (--config): it is not a regular file",
    "a folder": "cannot read folder (--config): is a directory",
    "a device": "cannot read /dev/zero (--config): it is not a regular file",
    "a large file": "cannot read large (--config): it is larger than 1 MiB",
    "no UTF-8": "latin is not valid TOML: a byte that is not UTF-8 (at line 2)",
}


@pytest.mark.parametrize("kind", NOT_FILES)
def test_what_is_no_file_of_settings_is_one_line_at_once(
    launch: Start, tmp_path: Path, kind: str
) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "large").write_text("#" * (1 << 20) + "\n")
    (tmp_path / "latin").write_bytes(b"port = 0\nbanner = '\xe9'\n")
    name = NOT_FILES[kind].removeprefix("cannot read ").split()[0]
    assert refusal(launch("acme-rot13", "--config", name)) == NOT_FILES[kind]


def test_a_byte_order_mark_is_passed_over(launch: Start, tmp_path: Path) -> None:
    (tmp_path / "rot13.toml").write_bytes(b"\xef\xbb\xbfport = [0, 0]\n")
    daemon = launch("acme-rot13", "--config", "rot13.toml").wait_until_ready()
    assert len(daemon.ports()) == 2
