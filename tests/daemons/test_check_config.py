"""``--check-config`` finds what a start would, and nobody notices that it looked."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from socketsuite.testing import Daemon, read_line
from tests.daemons.conftest import Start
from tests.support.outside import SECONDS

CHECK = "--check-config"


def refusal(daemon: Daemon, status: int = 1) -> str:
    assert daemon.wait() == status, daemon.log + daemon.errors
    assert daemon.errors.count("\n") == 1, daemon.errors
    assert "Traceback" not in daemon.log + daemon.errors
    return daemon.errors


def prepare(folder: Path) -> None:
    """Make what the mistakes below name."""
    (folder / "file").write_text("")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "fifo")


NO_FOLDER = "its folder must exist and be writable"
MISTAKES = {
    "socketsuite-echo --interface 192.0.2.1": "this machine has no such address; see 'ip addr'",
    "socketsuite-echo --interface fe80::1%none": "--interface 'fe80::1%none' is not an address",
    "socketsuite-echo --unix none/socket": f"none/socket: no such file or directory; {NO_FOLDER}",
    "socketsuite-echo --unix file/socket": f"unix socket file/socket: not a directory; {NO_FOLDER}",
    "socketsuite-echo --unix " + "x" * 108: "the path is longer than 107 bytes",
    "socketsuite-echo --unix file": "unix socket file: a file that is not a socket is there",
    "socketsuite-echo --unix folder": "unix socket folder: a file that is not a socket is there",
    "socketsuite-echo --admin file": "file that is not a socket is there; say another --admin path",
    "socketsuite-echo --admin none/admin": "unix socket none/admin: no such file or dir",
    "socketsuite-echo --log-to none/log": "cannot write the log to none/log: no such file or",
    "socketsuite-echo --log-to folder": "cannot write the log to folder: is a directory",
    "socketsuite-echo --log-to file/log": "cannot write the log to file/log: not a directory",
    "socketsuite-echo --listen ssl:0:privateKey=none": "'ssl:0:privateKey=none' is no server end",
    "socketsuite-echo --join-group ff02::1 --interface 127.0.0.1": "no UDP socket of its family",
    "socketsuite-echo --allow @none": "none",
    "socketsuite-filesink --file folder": "cannot append to folder: it is a folder: name a file",
    "socketsuite-filesink --file none/file": "cannot append to none/file: its folder does not ex",
    "socketsuite-filesink --file fifo": "cannot append to fifo: it is a pipe or a socket: name a",
    "socketsuite-watch --file folder": "cannot watch folder: it is a folder; name a file",
    "socketsuite-watch --file none/file": "cannot watch none/file: create its folder none first",
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("command", MISTAKES, ids=lambda command: command[:60])
def test_a_check_finds_what_a_start_would_refuse_in_the_same_words(
    launch: Start, tmp_path: Path, command: str
) -> None:
    prepare(tmp_path)
    name, *arguments = command.split()
    where = () if "--unix" in arguments else ("--port", "0")
    check = refusal(launch(name, *where, *arguments, CHECK))
    assert MISTAKES[command] in check
    assert refusal(launch(name, *where, *arguments)) == check


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root, to become somebody else")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("socketsuite-echo", "--log-to", "mine/log"), "write the log to mine/log: permission den"),
        (("socketsuite-filesink", "--file", "mine/file"), "append to mine/file: permission denied"),
    ],
)
def test_a_check_finds_what_its_user_may_not_write(
    launch: Start, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents[:3]:
        folder.chmod(folder.stat().st_mode | 0o055)
    (tmp_path / "mine").mkdir()
    nobody = ("setpriv", "--reuid", "65534", "--clear-groups", "--bounding-set", "-all")
    assert words in refusal(launch(*arguments, CHECK, before=nobody))


def test_a_check_makes_no_file_and_leaves_none(launch: Start, tmp_path: Path) -> None:
    check = launch(
        *("socketsuite-filesink", "--file", "sink", "--log-to", "log", "--admin", "admin"),
        *("--unix", "socket", CHECK),
    )
    assert check.wait() == 0, check.errors
    assert [path.name for path in tmp_path.iterdir() if "dropin" not in path.name] == []


def test_a_socket_that_systemd_will_hand_over_is_missed_by_the_start_and_not_by_the_check(
    launch: Start,
) -> None:
    arguments = ("socketsuite-echo", "--listen", "systemd:domain=INET:index=0")
    assert launch(*arguments, CHECK).wait() == 0
    assert "the service manager has handed over no such socket" in refusal(launch(*arguments))


def test_a_check_starts_no_service(stranger: Start, tmp_path: Path) -> None:
    source = (
        "class make(Plain):\n    def startFactory(self):\n        Path('started').write_text('')\n"
        "    def check_start(self):\n        Path('looked').write_text('')"
    )
    assert stranger(source, CHECK).wait() == 0
    assert (tmp_path / "looked").exists()
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        ("SettingsError('no database')", "acme-odd: no database\n"),
        ("RuntimeError('boom')", "acme-odd: check_start() of make raised RuntimeError: boom\n"),
        ("FileNotFoundError(2, '', 'data')", "acme-odd: data: no such file or directory\n"),
    ],
)
def test_what_a_service_finds_itself_is_one_line(stranger: Start, raised: str, words: str) -> None:
    source = f"class make(Plain):\n    def check_start(self):\n        raise {raised}"
    assert refusal(stranger(source, CHECK)) == words


# ── beside a running daemon ─────────────────────────────────────────────────────────────


RUNNING = """
metrics-port = {metrics}
admin = "admin"
[rot13]
service = "acme-rot13"
port = {port}
unix = "socket"
[filesink]
port = 0
file = "sink"
[echo]
port = 0
"""


def test_the_configuration_of_the_daemon_that_runs_is_valid_and_it_does_not_notice(
    launch: Start, tmp_path: Path
) -> None:
    file = tmp_path / "all.toml"
    file.write_text(RUNNING.format(metrics=0, port=0))
    running = launch("socketsuite", "--config", "all.toml").wait_until_ready()
    port = running.port()
    metrics = running.wait_for_line(r"metrics http://127.0.0.1:(\d+)/")[1]
    file.write_text(RUNNING.format(metrics=metrics, port=port))
    with running.connect(port=port) as caller:
        is_served(caller)
        check = launch("socketsuite", "--config", "all.toml", CHECK)
        assert check.wait() == 0, check.errors
        assert "socketsuite: the configuration is valid (rot13, socketsuite-filesink," in check.log
        is_served(caller)
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(SECONDS)
        caller.connect(str(tmp_path / "socket"))
        is_served(caller)
    assert running.stop() == 0
    # Two callers of this test, and nobody else.
    assert running.log.count(" connected ") == 2


def is_served(caller: socket.socket) -> None:
    caller.sendall(b"hello\n")
    assert read_line(caller) == b"uryyb\n"


# ── services together ───────────────────────────────────────────────────────────────────

TOGETHER = {
    "[chat]\nport = 9000\n[echo]\nport = 9000\n": (
        "socketsuite-chat and socketsuite-echo would both listen on TCP port 9000 of 127.0.0.1"
    ),
    "[chat]\n[echo]\nport = 9000\n": "socketsuite-chat and socketsuite-echo would both listen on",
    "[chat]\n[more]\nservice = 'chat'\n": "socketsuite-chat and more would both listen on TCP",
    "[chat]\nport = 1\ninterface = '::'\n[echo]\nport = 1\ninterface = '127.0.0.1'\n": (
        "would both listen on TCP port 1 of ::"
    ),
    "[echo]\nport = 1\ntcp = false\n[time]\nport = 1\n": "would both listen on UDP port 1 of 127",
    "[chat]\nunix = 'a'\n[echo]\nunix = 'a'\n": "would both listen on Unix socket a; give each",
    "admin = 'a'\n[chat]\nunix = 'a'\n": "socketsuite-chat and admin would both listen on Unix",
    "metrics-port = 9000\n[chat]\n": "socketsuite-chat and metrics-port would both listen on",
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("text", TOGETHER)
def test_two_services_at_one_address_are_one_line_and_status_2(
    launch: Start, tmp_path: Path, text: str
) -> None:
    (tmp_path / "all.toml").write_text(text)
    for arguments in ((), (CHECK,)):
        line = refusal(launch("socketsuite", "--config", "all.toml", *arguments), 2)
        assert TOGETHER[text] in line


@pytest.mark.parametrize(
    "text",
    [
        "[echo]\nport = 4007\ntcp = false\n[chat]\nport = 4007\n",
        "[chat]\nport = 4007\n[echo]\nport = 4007\ninterface = '127.0.0.2'\n",
        "[chat]\nport = 0\n[echo]\nport = 0\n",
        "metrics-port = 4007\n[chat]\nport = 4007\ninterface = '::1'\n",
        "[chat]\nreuse-port = true\n[more]\nservice = 'chat'\nreuse-port = true\n",
    ],
)
def test_services_at_addresses_of_their_own_are_valid(
    launch: Start, tmp_path: Path, text: str
) -> None:
    (tmp_path / "all.toml").write_text(text)
    check = launch("socketsuite", "--config", "all.toml", CHECK)
    assert check.wait() == 0, check.errors
