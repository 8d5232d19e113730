"""A service that takes its time: to start, to be told of a drain, and to stop."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from socketsuite.testing import read_line
from socketsuite.testing.daemon import TWISTD
from socketsuite.testing.readings import until
from tests.daemons.conftest import Start
from tests.daemons.strangers import install

# Each hook waits until a file of its name appears, and says so in the log.
SLOW = """
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.protocols.policies import WrappingFactory

log = Logger()

async def file(reactor, name):
    log.info("waiting for {name}", name=name)
    while not Path(name).exists():
        pause = Deferred()
        reactor.callLater(0.02, pause.callback, None)
        await pause
    log.info("found {name}", name=name)

@dataclass(eq=False)
class Service(Plain):
    reactor: Any
    before: str = setting("nothing", "what start_service() does first")

    async def start_service(self):
        if self.before == "raise":
            raise OSError(2, "No such file or directory", "/the/data")
        if self.before == "wait":
            await file(self.reactor, "start")
        if self.before == "fail":
            await file(self.reactor, "start")
            raise ValueError("no database")

    def drain_service(self):
        log.info("told of the drain")
        return Deferred.fromCoroutine(file(self.reactor, "drain"))

    async def stop_service(self):
        await file(self.reactor, "stop")

    def startFactory(self):
        log.info("startFactory")

    def stopFactory(self):
        log.info("stopFactory")

make = Service
"""
LATER = """
from twisted.internet.error import CannotListenError
from twisted.protocols.basic import LineOnlyReceiver

class Control(LineOnlyReceiver):
    delimiter = b"\\n"

    def lineReceived(self, line):
        where = {} if line == b"open" else {"interface": "203.0.113.1"}
        try:
            port = self.factory.daemon.listenTCP(0, Plain(), frontend="data", **where)
        except CannotListenError as error:
            self.sendLine(f"{type(error).__name__} {error}".encode())
        else:
            self.sendLine(b"%d" % port.getHost().port)

class Service(ServerFactory):
    protocol = Control

    def __init__(self, daemon):
        self.daemon = daemon

make = Service
"""
# The first one behind a factory of Twisted's that wraps it.
WRAPPED = SLOW.replace(
    "make = Service",
    """
def make(reactor):
    return WrappingFactory(Service(reactor=reactor))
""",
)


@pytest.fixture
def signal_file(tmp_path: Path) -> Callable[[str], None]:
    return lambda name: (tmp_path / name).touch()


def test_nobody_is_accepted_before_the_service_has_started(
    stranger: Start, signal_file: Callable[[str], None], manager: socket.socket
) -> None:
    daemon = stranger(
        *(SLOW, "--port", "0", "--before", "wait", "--drain-timeout", "20"),
        NOTIFY_SOCKET=str(manager.getsockname()),
    )
    assert manager.recv(4096) == b"EXTEND_TIMEOUT_USEC=70000000"
    daemon.wait_for_line("waiting for start")
    port = listening_port(daemon.process.pid)
    with daemon.connect(port=port) as early:
        early.sendall(b"early")
        signal_file("start")
        daemon.wait_until_ready()
        assert early.recv(5) == b"early"
        assert manager.recv(4096).startswith(b"READY=1")
        daemon.wait_for_line(" connected ")
        log = daemon.log
        order = ["startFactory", "waiting for start", "found start", " listening ", " connected "]
        assert [log.index(each) for each in order] == sorted(log.index(each) for each in order)
        daemon.send_signal(signal.SIGTERM)
        daemon.wait_for_line("told of the drain")
        early.sendall(b"more")
        assert early.recv(4) == b"more"
    daemon.wait_for_line(" closed ")
    signal_file("drain")
    daemon.wait_for_line("waiting for stop")
    signal_file("stop")
    assert daemon.wait() == 0
    log = daemon.log
    order = ["told of the drain", " closed ", "found drain", "found stop", "stopFactory", "stopped"]
    assert [log.index(each) for each in order] == sorted(log.index(each) for each in order)


def listening_port(pid: int) -> int:
    """Return the TCP port that the process *pid* listens on, as the kernel tells."""

    def found() -> int:
        inodes = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        for row in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                return int(fields[1].partition(":")[2], 16)
        return 0

    return until(found, bool)


@pytest.mark.parametrize(
    ("before", "arguments", "said"),
    [
        ("raise", (), "/the/data: no such file or directory\n"),
        ("fail", (), "start_service() of acme_odd:make raised ValueError: no database\n"),
        (
            *("wait", ("--start-timeout", "0.2")),
            "start_service() of acme_odd:make took longer than 0.2 s (--start-timeout)\n",
        ),
    ],
)
def test_a_start_that_fails_is_one_line_and_status_1(
    stranger: Start,
    signal_file: Callable[[str], None],
    before: str,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    signal_file("stop")
    if before == "fail":
        signal_file("start")
    daemon = stranger(SLOW, "--unix", "a.sock", "--before", before, *arguments)
    assert daemon.wait() == 1
    assert daemon.errors == f"acme-odd: {said}"
    assert not (daemon.folder / "a.sock").exists()
    assert " ready" not in daemon.log
    assert "waiting for stop" not in daemon.log  # it never came to be started
    assert daemon.log.count("stopFactory") == 1


def test_a_start_in_the_background_is_awaited_by_who_began_it(
    tmp_path: Path, signal_file: Callable[[str], None]
) -> None:
    install(tmp_path, "acme-odd", SLOW)
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    signal_file("start")
    command = [TWISTD, "acme-odd", "--port", "0", "--before"]
    failed = subprocess.run([*command, "fail"], cwd=tmp_path, env=env, capture_output=True)
    assert failed.returncode == 1
    assert b"raised ValueError: no database" in failed.stdout + failed.stderr
    assert not (tmp_path / "twistd.pid").exists()
    subprocess.run([*command, "wait"], cwd=tmp_path, env=env, check=True, timeout=20)
    pid = int((tmp_path / "twistd.pid").read_text())
    try:
        until((tmp_path / "twistd.log").read_text, lambda log: log.count(" ready, pid ") == 1)
        for name in ("drain", "stop"):
            signal_file(name)
        os.kill(pid, signal.SIGTERM)
        until(lambda: Path(f"/proc/{pid}").exists(), lambda there: not there)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_sigterm_in_the_middle_of_a_start_ends_it_with_status_0(stranger: Start) -> None:
    daemon = stranger(SLOW, "--port", "0", "--before", "wait", "--metrics-port", "0")
    daemon.wait_for_line(r"metrics http://127.0.0.1:\d+/metrics")
    code, page = daemon.page("/health")
    assert (code, json.loads(page)["status"]) == (503, "starting")
    daemon.send_signal(signal.SIGHUP)
    daemon.wait_for_line("not reloaded: the services are starting")
    assert daemon.stop() == 0
    assert "found start" not in daemon.log
    assert "told of the drain" not in daemon.log  # it never came to be started
    assert daemon.errors == ""


def test_the_hooks_are_found_through_wrapping_factories_and_bounded_in_time(
    stranger: Start,
) -> None:
    daemon = stranger(
        *(WRAPPED, "--port", "0", "--drain-timeout", "0.2", "--stop-timeout", "0.2")
    ).wait_until_ready()
    assert daemon.stop() == 0
    assert "told of the drain" in daemon.log
    assert "acme-odd: drain_service() is given up, after 0.2 s" in daemon.log
    assert "acme-odd: stop_service() is given up, after 0.2 s" in daemon.log
    assert daemon.errors == ""


def test_a_second_sigterm_waits_for_no_hook(stranger: Start) -> None:
    daemon = stranger(SLOW, "--port", "0", "--drain-timeout", "60", "--stop-timeout", "60")
    daemon.wait_until_ready()
    daemon.send_signal(signal.SIGTERM)
    daemon.wait_for_line("waiting for drain")
    daemon.send_signal(signal.SIGTERM)
    daemon.wait_for_line("waiting for stop")
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait() == 0


def test_of_two_services_one_that_fails_to_start_ends_the_other_in_order(
    tmp_path: Path, launch: Start, signal_file: Callable[[str], None]
) -> None:
    install(tmp_path, "acme-odd", SLOW)
    env = {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    for name in ("start", "drain", "stop"):
        signal_file(name)
    head = 'service = "acme-odd"\nport = 0\nbefore = '
    (tmp_path / "two.toml").write_text(f'[one]\n{head}"nothing"\n[two]\n{head}"fail"\n')
    daemon = launch("socketsuite", "--config", "two.toml", env=env)
    assert daemon.wait() == 1
    said = "socketsuite: two: start_service() of acme_odd:make raised ValueError: no database\n"
    assert daemon.errors == said
    assert daemon.log.count("found stop") == 1
    assert daemon.log.count("stopFactory") == 2


def test_later_ports_are_under_the_service_s_limits(stranger: Start) -> None:
    daemon = stranger(LATER, "--port", "0", "--max-connections", "2").wait_until_ready()
    with daemon.connect() as control:
        control.sendall(b"open\n")
        port = int(read_line(control))
        with daemon.connect(port=port) as data:
            data.sendall(b"x")
            assert data.recv(1) == b"x"
            with daemon.connect(port=port) as third:
                assert third.recv(1) == b""
            daemon.wait_for_line(" refused .*reason=max_connections frontend=data$")
            daemon.send_signal(signal.SIGTERM)
            daemon.wait_for_line(" draining connections=2 ")
            # What is under way may go on, with another port for that.
            control.sendall(b"open\n")
            another = int(read_line(control))
            assert another != port
            data.close()
            daemon.wait_for_line(" closed .*frontend=data$")
            with daemon.connect(port=another) as more:
                more.sendall(b"y")
                assert more.recv(1) == b"y"
            control.sendall(b"bad\n")
            assert read_line(control).startswith(b"CannotListenError Couldn't listen on ")
    assert daemon.wait() == 0
    assert daemon.errors == ""
