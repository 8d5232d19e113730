"""``socketsuite status``, against small servers that answer as a daemon's admin socket does."""

from __future__ import annotations

import json
import re
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from socketsuite.cli.admin_talk import Answers
from socketsuite.cli.status import find
from socketsuite.cli.status_view import plain, rates_of, whole
from socketsuite.cli.units import duration, size
from socketsuite.transport.dial.failed import Failed
from tests.cli.conftest import Client, Serve, Start
from tests.cli.contract import read

ROOT = Path(__file__).parents[2]
CONNECTION = {
    "id": 7,
    "service": "echo",
    "transport": "tcp",
    "peer": "127.0.0.1:5000",
    "age": 75.0,
    "bytes_in": 2048,
    "bytes_out": 10,
    "queued": 1 << 20,
    "idle": None,
}
STATUS: dict[str, Any] = {
    "process": {
        "pid": 42,
        "command": "socketsuite-echo",
        "version": "1",
        "started": "2026-11-21T08:00:00Z",
        "uptime": 100.0,
        "state": "serving",
        "loop_delay": {"recent": 0.0004, "maximum": 0.2},
    },
    "services": [
        {
            "name": "echo",
            "listeners": [{"transport": "tcp", "address": "::1", "port": 7}],
            "open": 1,
            "opened": 3,
            "closed": {"idle_timeout": 1, "lost": 1},
            "refused": {"deny": 2},
            "bytes_in": 2048,
            "bytes_out": 10,
            "queued": 1 << 20,
        }
    ],
    "connections": [CONNECTION],
    "total": 3,
}


class Admin:
    """Answers every request by *answers*, then waits for the client to go, or leaves first."""

    def __init__(self, *answers: Any, stay: bool = True) -> None:
        self._answers = answers
        self._stay = stay
        self.requests: list[Any] = []

    def __call__(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            self.requests.append(json.loads(lines.readline()))
            for answer in self._answers:
                line = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                connection.sendall(line + b"\n")
            if self._stay:
                assert lines.read() == b""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "admin.sock")


def at(path: str) -> dict[str, Any]:
    return {"family": socket.AF_UNIX, "address": path}


def test_a_pipe_gets_exact_numbers_in_columns(client: Client, serve: Serve, path: str) -> None:
    admin = Admin(STATUS)
    serve(admin, **at(path))
    done = client("status", "--admin", path)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert "listener tcp [::1]:7" in lines
    assert "refused echo deny=2" in lines
    assert "closed echo idle_timeout=1 lost=1" in lines
    assert lines[-3].split() == [
        *("ID", "SERVICE", "TRANSPORT", "PEER", "AGE", "IN", "OUT", "QUEUED", "IDLE")
    ]
    assert lines[-2].split() == [
        *("7", "echo", "tcp", "127.0.0.1:5000", "75.0", "2048", "10", "1048576", "-")
    ]
    assert lines[-1] == "and 2 more"
    assert admin.requests == [{"command": "status", "limit": 1000}]


def test_json_is_what_the_daemon_said(client: Client, serve: Serve, path: str) -> None:
    serve(Admin(STATUS), **at(path))
    done = client("status", "--json", env={"SOCKETSUITE_ADMIN": path})
    ((row,), result) = read(done.stdout)
    assert {key: row[key] for key in STATUS} == STATUS
    assert (row["event"], row["peer"]) == ("status", f"unix:{path}")
    assert (result["peer"], result["status"]) == (f"unix:{path}", 0)


@pytest.mark.parametrize(
    ("options", "request_", "answer", "words"),
    [
        (("--close", "7"), {"command": "close", "id": 7}, {"closed": 7}, b"closed 7\n"),
        (("--drain",), {"command": "drain"}, {"draining": True}, b"draining\n"),
    ],
)
def test_an_order_is_passed_on(
    client: Client, serve: Serve, path: str, options: Any, request_: Any, answer: Any, words: bytes
) -> None:
    admin = Admin(answer)
    serve(admin, **at(path))
    done = client("status", "--admin", path, *options)
    assert (done.returncode, done.stdout) == (0, words)
    assert admin.requests == [request_]


@pytest.mark.parametrize(
    ("admin", "words"),
    [
        (Admin({"error": "no connection has the id 7"}), "The daemon refuses: no connection"),
        (Admin(b"220 smtp ready"), "is no admin socket"),
        (Admin(stay=False), "closed the connection without an answer"),
    ],
)
def test_a_refusal_is_one_line_and_status_1(
    client: Client, serve: Serve, path: str, admin: Admin, words: str
) -> None:
    serve(admin, **at(path))
    done = client("status", "--admin", path, "--close", "7")
    assert done.returncode == 1
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert words in line


def test_no_daemon_is_one_line_and_status_1(client: Client, path: str) -> None:
    done = client("status", "--admin", path)
    assert done.returncode == 1
    assert done.stderr.decode() == f"No server at {path}: no such file or directory\n"


def test_a_daemon_that_says_nothing_is_given_up(client: Client, serve: Serve, path: str) -> None:
    serve(Admin(), **at(path))
    done = client("status", "--admin", path, "--timeout", "0.2")
    assert done.returncode == 1
    assert done.stderr.decode() == f"{path} does not answer within 0.2 s\n"


def test_a_watch_ends_with_the_daemon(client: Client, serve: Serve, path: str) -> None:
    admin = Admin(STATUS, STATUS, stay=False)
    serve(admin, **at(path))
    done = client("status", "--admin", path, "--json", "--watch", "0.5")
    assert done.returncode == 0
    rows, _ = read(done.stdout)
    assert [{key: row[key] for key in STATUS} for row in rows] == [STATUS, STATUS]
    assert admin.requests == [{"command": "watch", "interval": 0.5, "limit": 1000}]


def test_ctrl_c_ends_a_watch_without_a_word(start: Start, serve: Serve, path: str) -> None:
    serve(Admin(STATUS), **at(path))
    process = start("status", "--admin", path, "--json", "--watch")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert process.stderr is not None
    assert process.stderr.read() == b""


def test_two_orders_at_once_are_a_usage_error(client: Client, path: str) -> None:
    done = client("status", "--admin", path, "--drain", "--close", "1")
    assert done.returncode == 2
    assert b"one of --watch, --close and --drain" in done.stderr


def test_the_socket_is_said_or_in_the_variable_or_where_a_unit_has_it(tmp_path: Path) -> None:
    found = ["socketsuite/admin.sock", "socketsuite/chat/admin.sock", "socketsuite-echo/admin.sock"]
    others = ["socketsuite-chat/chat.sock", "elsewhere/admin.sock"]
    for name in (*found, *others):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(tmp_path / name))
    (tmp_path / "socketsuite-chat" / "no-admin.sock").touch()
    assert find(["x"], {"SOCKETSUITE_ADMIN": "y"}, tmp_path) == ["x"]
    assert find([], {"SOCKETSUITE_ADMIN": "y:z"}, tmp_path) == ["y", "z"]
    assert find([], {}, tmp_path) == sorted(str(tmp_path / name) for name in found)
    own = {"XDG_RUNTIME_DIR": str(tmp_path)}
    assert find([], own, tmp_path / "none") == find([], {}, tmp_path)
    with pytest.raises(Failed, match="--admin PATH"):
        find([], {}, tmp_path / "none")


@pytest.mark.parametrize("unit", sorted((ROOT / "etc").glob("*.service")), ids=lambda p: p.name)
def test_the_admin_socket_of_a_unit_is_found(unit: Path, tmp_path: Path) -> None:
    text = unit.read_text()
    (path,) = re.findall(r"^Environment=SOCKETSUITE_(?:\w+_)?ADMIN=/run/(.*)$", text, re.M)
    (folder,) = re.findall(r"^RuntimeDirectory=(.*)$", text, re.M)
    (tmp_path / folder).mkdir()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / path))
        assert find([], {}, tmp_path) == [str(tmp_path / path)]


def test_several_daemons_are_all_shown_and_a_dead_one_is_named(
    client: Client, serve: Serve, tmp_path: Path
) -> None:
    for name in ("socketsuite-chat", "socketsuite-dead", "socketsuite-echo"):
        (tmp_path / name).mkdir()
        if name != "socketsuite-dead":
            serve(Admin(STATUS), **at(str(tmp_path / name / "admin.sock")))
    dead = tmp_path / "socketsuite-dead" / "admin.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(dead))
    env = {"XDG_RUNTIME_DIR": str(tmp_path), "SOCKETSUITE_ADMIN": ""}
    done = client("status", env=env)
    assert done.returncode == 1
    assert done.stdout.count(b"process socketsuite-echo pid=42") == 2
    assert done.stderr.decode() == f"No server at {dead}: connection refused\n"
    which = client("status", "--drain", env=env)
    assert (which.returncode, which.stdout, which.stderr.count(b"\n")) == (2, b"", 1)
    assert str(dead).encode() in which.stderr


@pytest.mark.parametrize("answer", [{}, {"process": {}}, {"process": 1, "services": 2}, [], 7])
@pytest.mark.parametrize("options", [[], ["--watch"]])
def test_an_answer_that_is_no_status_is_one_line(
    client: Client, serve: Serve, path: str, answer: Any, options: list[str]
) -> None:
    serve(Admin(answer), **at(path))
    done = client("status", "--admin", path, *options)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (1, b"", 1)
    assert b"is no admin socket" in done.stderr


def test_answers_are_found_however_they_are_cut() -> None:
    data = json.dumps(STATUS).encode() + b"\n"
    for cut in range(len(data)):
        told: list[Any] = []
        answers = Answers(told.append)
        answers.feed(data[:cut])
        answers.feed(data[cut:])
        assert told == [STATUS]


def test_an_answer_without_an_end_is_not_kept() -> None:
    answers = Answers(lambda _: None)
    chunk = b"x" * (1 << 20)
    for _ in range(64):
        answers.feed(chunk)
    with pytest.raises(ValueError, match="too long"):
        answers.feed(chunk)


def shown(status: Any, width: int = 120) -> str:
    return "\n".join(line.plain for line in whole(status, width))


def test_a_person_gets_units_and_what_is_left_out() -> None:
    text = shown(STATUS)
    for words in ("serving", "up 1m 40s", "2.0 KiB", "1.0 MiB", "tcp [::1]:7", "and 2 more"):
        assert words in text


def test_frontends_are_shown_where_a_service_has_several_and_else_not() -> None:
    for text in (plain(STATUS), shown(STATUS)):
        assert "frontend" not in text.lower()
    service = STATUS["services"][0]
    listeners = [{**service["listeners"][0], "frontend": "irc"}]
    counts = {"open": 1, "opened": 3, "bytes_in": 2048, "bytes_out": 10}
    several = {
        **STATUS,
        "services": [{**service, "listeners": listeners, "frontends": {"irc": counts}}],
        "connections": [{**CONNECTION, "frontend": "irc"}],
    }
    lines = plain(several).splitlines()
    assert "frontend echo irc open=1 opened=3 bytes_in=2048 bytes_out=10" in lines
    assert "listener tcp [::1]:7 frontend=irc" in lines
    assert lines[-3].split()[:4] == ["ID", "SERVICE", "FRONTEND", "TRANSPORT"]
    assert lines[-2].split()[:4] == ["7", "echo", "irc", "tcp"]
    assert "tcp [::1]:7 frontend=irc" in shown(several)
    assert re.search(r"echo +irc +tcp", shown(several))


def test_what_services_say_of_themselves_is_shown_and_commands_no_terminal() -> None:
    checks = {"disk": "full\x1b[2J", "net": "ok"}
    status = {
        **STATUS,
        "services": [{**STATUS["services"][0], "checks": checks}],
        "connections": [
            {**CONNECTION, "own": {"nick": "bob\x1b[2J", "ro\x1bom": 3}},
            {**CONNECTION, "id": 8, "own": {}},
        ],
    }
    lines = plain(status).splitlines()
    assert [line for line in lines if "failing" in line] == ["failing echo disk: full^[[2J"]
    assert lines[-4].split()[-2:] == ["NICK", "RO^[OM"]
    assert lines[-3].split()[-2:] == ["bob^[[2J", "3"]
    assert lines[-2].split()[-2:] == ["-", "-"]
    for text in (plain(status), shown(status)):
        assert "failing echo disk: full" in text
        assert "NICK" in text
        assert "\x1b" not in text


def test_a_unix_socket_is_called_so_once() -> None:
    listener = {"transport": "unix", "address": "unix:/run/x.sock", "port": None}
    status = {**STATUS, "services": [{**STATUS["services"][0], "listeners": [listener]}]}
    assert "listener unix:/run/x.sock\n" in plain(status)
    assert "  unix:/run/x.sock" in shown(status)


def test_a_second_status_gives_rates() -> None:
    later = {**STATUS, "process": {**STATUS["process"], "uptime": 102.0}}
    later["connections"] = [{**CONNECTION, "bytes_in": 2048 + 4096}]
    assert rates_of(STATUS, later) == {"echo": (0.0, 0.0), 7: (2048.0, 0.0)}
    assert rates_of(None, later) == {}


def test_nothing_in_a_status_commands_the_terminal() -> None:
    evil = {**STATUS, "connections": [{**CONNECTION, "peer": "\x1b[2J[red]\x9b"}]}
    for text in (plain(evil), shown(evil)):
        assert "\x1b[2J" not in text
        assert "\x9b" not in text
        assert "[red]" in text


def test_sizes_and_durations_are_short() -> None:
    assert [size(n) for n in (0, 1023, 1536, 1 << 40)] == ["0 B", "1023 B", "1.5 KiB", "1.0 TiB"]
    told = [duration(n) for n in (0.04, 59.9, 187, 7500, 90_000)]
    assert told == ["0.0s", "59.9s", "3m 07s", "2h 05m", "1d 01h"]
