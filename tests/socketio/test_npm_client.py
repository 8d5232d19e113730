"""The npm package ``socket.io-client``, as it is, against a daemon: facts in one Node process."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from socketsuite.testing import Daemon
from tests.support.node_packages import node, node_at_work
from tests.support.outside import NODE
from tests.support.stranger import package

SUBJECT = Path(__file__).parents[1] / "support" / "socketio_subject.py"
SCRIPT, RESTART = NODE / "socketio.js", NODE / "socketio_restart.js"
FACTS = re.findall(r'^facts\["(.*)"\] =', SCRIPT.read_text(), re.M) + [
    fact.replace("${transport}", transport)
    for fact in re.findall(r"^  facts\[`(.*)`\] =", SCRIPT.read_text(), re.M)
    for transport in ("polling", "websocket")
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("npm")
    env = package(folder, SUBJECT.read_text())
    env["SOCKETIO_OPTIONS"] = json.dumps({"recovery": 60, "max_payload": 1_000_000})
    with Daemon(folder, "acme-service", "--port", "0", env=env) as daemon:
        done = node(SCRIPT, f"http://127.0.0.1:{daemon.port()}")
        assert done.returncode == 0, done.stderr
        yield json.loads(done.stdout)
        daemon.wait_for_line(r"127\.0\.0\.1 /: the handler of connect failed: ValueError: a bug \(")
        daemon.wait_for_line(
            r"the handler of raise failed: ValueError: line\^Jand \^\[ \(.*:\d+\)$"
        )
        daemon.wait_for_line(r"handler of connect failed: TypeError: Object of type object is not")
        daemon.wait_for_line(r"the handler of leave failed: TypeError: no handler takes")
        assert not daemon.has_line("Traceback")


@pytest.mark.parametrize("fact", FACTS)
def test_the_npm_client_finds(results: dict[str, str], fact: str) -> None:
    assert results[fact] == "ok"


def test_clients_come_back_after_a_restart_which_does_not_wait_for_their_polls(
    tmp_path: Path,
) -> None:
    env = package(tmp_path, SUBJECT.read_text()) | {"SOCKETIO_OPTIONS": "{}"}
    both = {"polling", "websocket"}
    with Daemon(tmp_path, "acme-service", "--port", "0", env=env) as daemon:
        port = str(daemon.port())
        with node_at_work(RESTART, f"http://127.0.0.1:{port}") as lines:
            assert {lines(), lines()} == {f"{each} connect there" for each in both}
            assert daemon.stop() == 0
            assert not daemon.has_line("drain_timeout")
            # Whoever had no poll under way at that moment finds nobody to send one to.
            left = {" ".join(line.split()[:3]) for line in (lines(), lines())}
            assert left == {f"{each} disconnect transport" for each in both}
            with Daemon(tmp_path, "acme-service", "--port", port, env=env):
                assert {lines(), lines()} == {f"{each} connect there" for each in both}


def test_every_fact_is_looked_at(results: dict[str, str]) -> None:
    assert sorted(results) == sorted(FACTS)
