import json
import subprocess
import sys
from pathlib import Path

from socketsuite.testing import Daemon

COMMAND = [sys.executable, "-m", "socketsuite.cli", "rot13"]


def run(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    words = [*COMMAND, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, timeout=20, check=False)


def test_each_line_comes_back_rotated_and_json_has_a_result(tmp_path: Path) -> None:
    with Daemon(tmp_path, "acme-rot13", "--port", "0") as daemon:
        server = ("127.0.0.1", daemon.port())
        done = run("--line", "Hello", "--line", "a\nb\x1b", *server)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"Uryyb\nn\no^[\n", b"")
        done = run("--json", "--line", "Hello", *server)
    row, result = map(json.loads, done.stdout.splitlines())
    assert (row["event"], row["text"]) == ("line", "Uryyb")
    assert (result["command"], result["lines"], result["status"]) == ("rot13", 1, 0)


def test_a_server_that_closes_before_the_end_and_one_that_is_not_there_are_one_line(
    tmp_path: Path,
) -> None:
    with Daemon(tmp_path, "acme-rot13", "--port", "0") as daemon:
        server = ("127.0.0.1", daemon.port())
        done = run("--line", "Hello", "--line", "x" * 20_000, *server)
        assert (done.returncode, done.stdout) == (1, b"Uryyb\n")
        assert done.stderr == b"the server closed after 1 of 2 lines\n"
    done = run("--line", "Hello", *server)
    assert done.returncode == 1
    assert done.stderr == b"No server at 127.0.0.1 %d: connection refused\n" % server[1]
