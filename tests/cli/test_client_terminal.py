"""What a person sees: tables on terminals of any width, and the live view with its keys."""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from socketsuite.cli.columns import Column, table
from tests.cli.conftest import Client, Serve
from tests.cli.screen import Terminal
from tests.cli.servers import echo

LONG = "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:65535"
PEERS = ["127.0.0.1:5000", "192.0.2.123:61234", "[2001:db8::17]:40123"]

OnTerminal = Callable[..., Terminal]


def row(number: int, peer: str, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "service": "socketsuite-accumulator",
        "transport": "tcp",
        "peer": peer,
        "age": 60.0 + number,
        "bytes_in": 1000 * number,
        "bytes_out": 10,
        "queued": 0,
        "idle": 1.5,
        **more,
    }


def status_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    process = {
        "pid": 42,
        "command": "socketsuite-accumulator",
        "version": "1",
        "uptime": 100.0,
        "state": "serving",
        "loop_delay": {"recent": 0.0004, "maximum": 0.2},
    }
    service = {
        "name": "socketsuite-accumulator",
        "listeners": [
            {"transport": "tcp", "address": "127.0.0.1", "port": 40000},
            {"transport": "unix", "address": "/run/socketsuite/a.sock", "port": None},
        ],
        "open": len(rows),
        "opened": len(rows),
        "closed": {},
        "refused": {},
        "bytes_in": 1,
        "bytes_out": 2,
        "queued": 0,
    }
    return {"process": process, "services": [service], "connections": rows, "total": len(rows)}


THREE = status_of([row(number, peer) for number, peer in enumerate(PEERS, 1)])


class Admin:
    """Answers with one status, and again with each that is told; ends when told None."""

    def __init__(self, status: Any) -> None:
        self._status = status
        self.end = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            watching = json.loads(lines.readline())["command"] == "watch"
            connection.sendall(json.dumps(self._status).encode() + b"\n")
            if watching:
                connection.settimeout(0.05)
                while not self.end.is_set():
                    try:
                        if connection.recv(1) == b"":
                            return
                    except TimeoutError:
                        pass


@pytest.fixture
def on_terminal(serve: Serve) -> Iterator[OnTerminal]:
    """Start the command on terminals; all are killed after the test, before the servers close."""
    opened: list[Terminal] = []

    def begin(*arguments: object, **more: Any) -> Terminal:
        opened.append(Terminal(*arguments, **more))
        return opened[-1]

    yield begin
    for one in opened:
        one.close()


@pytest.fixture
def admin(serve: Serve, tmp_path: Path) -> Callable[[Any], str]:
    def begin(status: Any) -> str:
        path = str(tmp_path / "a.sock")
        serve(Admin(status), family=socket.AF_UNIX, address=path)
        return path

    return begin


def has(text: str) -> Callable[[list[str]], bool]:
    return lambda lines: any(text in line for line in lines)


@pytest.mark.parametrize("columns", [40, 80, 132])
@pytest.mark.parametrize("options", [[], ["--watch"]])
def test_peers_are_whole_and_in_one_line_each(
    on_terminal: OnTerminal, admin: Callable[[Any], str], columns: int, options: list[str]
) -> None:
    terminal = on_terminal("status", *options, "--admin", admin(THREE), columns=columns)
    lines = terminal.until(has(PEERS[2]))
    for peer in PEERS:
        assert sum(peer in line for line in lines) == 1
    headings = next(line for line in lines if "PEER" in line)
    if columns == 132:
        assert headings.split() == [
            "ID",
            "SERVICE",
            "TRANSPORT",
            "PEER",
            "AGE",
            "IN",
            "OUT",
            "QUEUED",
            "IDLE",
        ]
    else:
        assert "TRANSPORT" not in headings  # alike in every row
        assert "IN" in headings.split()  # and this is not
    assert any("socketsuite-acc" in line for line in lines)


def test_a_narrow_terminal_keeps_a_long_peer_as_long_as_it_can(
    on_terminal: OnTerminal, admin: Callable[[Any], str]
) -> None:
    status = status_of([row(1, LONG), row(2, PEERS[0])])
    path = admin(status)
    lines = on_terminal("status", "--admin", path, columns=50).until(has(PEERS[0]))
    assert any(LONG in line for line in lines)
    lines = on_terminal("status", "--admin", path, columns=30).until(has(PEERS[0]))
    assert any(line.startswith(LONG[:20]) and line.endswith("…") for line in lines)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("columns", [1, 2, 3, 5, 8, 13, 20])
def test_no_width_is_too_small(
    on_terminal: OnTerminal, admin: Callable[[Any], str], columns: int
) -> None:
    terminal = on_terminal("status", "--admin", admin(THREE), columns=columns)
    assert terminal.wait() == 0
    assert b"Traceback" not in terminal.raw
    assert b"\xe2\x80\xa6" in terminal.raw  # an ellipsis says that there is more


def test_the_watch_sorts_scrolls_and_ends_by_keys_and_leaves_its_last_screen(
    on_terminal: OnTerminal, admin: Callable[[Any], str]
) -> None:
    many = status_of([row(number, f"192.0.2.1:{10_000 + number}") for number in range(100)])
    terminal = on_terminal("status", "--watch", "--admin", admin(many), columns=80)
    terminal.until(has("1-"))
    terminal.type("s")  # by bytes in: the last connection has the most
    lines = terminal.until(lambda lines: first_peer(lines).endswith("10099"))
    terminal.type("r")
    terminal.until(lambda lines: first_peer(lines).endswith("10000"))
    terminal.type("j")
    terminal.until(lambda lines: first_peer(lines).endswith("10001"))
    terminal.type("\x1b[F")
    lines = terminal.until(has("10099"))
    terminal.type("\x1b[H")
    terminal.until(lambda lines: first_peer(lines).endswith("10000"))
    terminal.type(" ")
    terminal.until(lambda lines: int(first_peer(lines)[-3:]) > 5)
    terminal.type("q")
    assert terminal.wait() == 0
    left = terminal.raw.rpartition(b"\x1b[?1049l")[2].decode()
    assert first_peer(terminal.lines) in left
    assert len(lines) == 24
    assert terminal.is_as_before


def first_peer(lines: list[str]) -> str:
    return next(word for line in lines for word in line.split() if word.startswith("192.0.2.1:"))


def test_the_watch_follows_the_size_of_the_terminal(
    on_terminal: OnTerminal, admin: Callable[[Any], str]
) -> None:
    terminal = on_terminal("status", "--watch", "--admin", admin(THREE), columns=132)
    terminal.until(has("TRANSPORT"))
    terminal.resize(40, 12)
    lines = terminal.until(lambda lines: not has("TRANSPORT")(lines) and has(PEERS[2])(lines))
    assert len(lines) == 12
    terminal.resize(10, 1)
    terminal.until(lambda lines: "…" in lines[0])
    terminal.resize(80, 24)
    terminal.until(has("q quit"))
    terminal.type("q")
    assert terminal.wait() == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_watch_and_gives_the_terminal_back(
    on_terminal: OnTerminal, admin: Callable[[Any], str], number: int, status: int
) -> None:
    terminal = on_terminal("status", "--watch", "--admin", admin(THREE), columns=80)
    terminal.until(has("q quit"))
    during = terminal.is_as_before
    terminal.process.send_signal(number)
    assert terminal.wait() == status
    assert (during, terminal.is_as_before) == (False, True)
    assert PEERS[0].encode() in terminal.raw.rpartition(b"\x1b[?1049l")[2]
    assert b"Traceback" not in terminal.raw


@pytest.mark.sampled(4)
@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"NO_COLOR": "1"}, {"TERM": ""}])
@pytest.mark.parametrize(
    "command", ["status", "status --watch", "ports --all", "probe", "send"], ids=str
)
def test_no_escape_sequence_where_none_is_wanted(
    on_terminal: OnTerminal,
    admin: Callable[[Any], str],
    serve: Serve,
    variables: dict[str, str],
    command: str,
) -> None:
    words = command.split()
    port = serve(echo).port
    match words[0]:
        case "status":
            words += ["--admin", admin(THREE)]
        case "probe":
            words += ["127.0.0.1", str(port)]
        case "send":
            words += ["127.0.0.1", str(port), "/dev/null"]
    terminal = on_terminal(*words, columns=80, **variables)
    if "--watch" in words:
        terminal.until(has(PEERS[2]))
        terminal.process.send_signal(signal.SIGINT)
    assert terminal.wait() in (0, 130)
    assert terminal.raw
    assert b"\x1b" not in terminal.raw


@pytest.mark.parametrize("command", ["ports --all", "probe", "status"])
def test_a_capable_terminal_has_colour(
    on_terminal: OnTerminal, admin: Callable[[Any], str], serve: Serve, command: str
) -> None:
    more = {"probe": ["127.0.0.1", str(serve(echo).port)], "status": ["--admin", admin(THREE)]}
    terminal = on_terminal(*command.split(), *more.get(command, []), columns=80)
    assert terminal.wait() == 0
    assert b"\x1b[" in terminal.raw


def test_the_watch_in_a_pipe_has_plain_columns(
    client: Client, serve: Serve, tmp_path: Path
) -> None:
    path = str(tmp_path / "a.sock")
    server = Admin(THREE)
    server.end.set()
    serve(server, family=socket.AF_UNIX, address=path)
    done = client("status", "--watch", "--admin", path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\x1b" not in done.stdout
    assert PEERS[2].encode() in done.stdout


def test_columns_that_say_nothing_go_first_and_the_key_never() -> None:
    from rich.text import Text

    columns = [Column("KEY", 0), Column("SAME", 1), Column("WORD", 2, cut=True), Column("NUM", 3)]
    rows = [
        [Text("key-one"), Text("same"), Text("a long word"), Text("1")],
        [Text("key-two"), Text("same"), Text("another word"), Text("2")],
    ]
    told = {}
    for width in range(1, 40):
        heading, lines = table(columns, rows, width)
        assert max(line.cell_len for line in (heading, *lines)) <= width
        told[width] = heading.plain.split()
        assert told[width]
    assert told[39] == ["KEY", "SAME", "WORD", "NUM"]
    assert told[25] == ["KEY", "WORD", "NUM"]
    assert told[20] == ["KEY", "WORD", "NUM"]  # the words cut
    assert told[10] == ["KEY"]
