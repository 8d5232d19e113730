"""The units in etc/, run as systemd would: their very commands, folders, sockets and signals.

No systemd runs here.  What the unit files say is read from them, and done by hand: sockets are
opened and named as the socket unit has them (but for their port), a notify socket listens, and
the folders of a DynamicUser are folders of the test.
"""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from socketsuite.testing import Daemon, read_line
from socketsuite.testing.daemon import TWISTD
from tests.daemons.conftest import Start
from tests.support.outside import SECONDS
from tests.support.peers import program

ETC = Path(__file__).parents[2] / "etc"
SERVICES = sorted(ETC.glob("*.service"))
SOCKET_UNIT, ITS_SERVICE = ETC / "socketsuite-echo.socket", ETC / "socketsuite-echo.service"
# Becomes what the unit says; the words of its own command line after the plan are not it.
AS_SYSTEMD = """
import json, os, socket, sys
plan = json.loads(sys.argv[1])
os.umask(plan["umask"])
made = []
for kind, host, backlog, only_ipv6, no_delay in plan["sockets"]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    one = socket.socket(family, kind)
    if family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only_ipv6)
    one.bind((host, 0))
    if kind == socket.SOCK_STREAM:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, no_delay)
        one.listen(backlog)
    made.append(one.detach())
for number, one in enumerate(made, 3):
    if one != number:
        os.dup2(one, number)
    os.set_inheritable(number, True)
if made:
    os.environ.update(
        LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(made)), LISTEN_FDNAMES=plan["names"]
    )
os.execv(plan["command"][0], plan["command"])
"""


@dataclass(frozen=True)
class Unit:
    """A unit file as systemd reads it: for each key its values, in their order."""

    path: Path
    lines: list[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        found = re.findall(r"^(\w+)=(.*)$", self.path.read_text(), re.M)
        object.__setattr__(self, "lines", found)

    def one(self, key: str) -> str:
        (value,) = (value for name, value in self.lines if name == key)
        return value

    def sockets(self) -> list[tuple[int, str, int]]:
        """Return the kind, host and port of each socket, in the order of their lines."""
        kinds = {
            "ListenStream": int(socket.SOCK_STREAM),
            "ListenDatagram": int(socket.SOCK_DGRAM),
        }
        told = []
        for key, value in self.lines:
            if key in kinds:
                host, _, port = value.rpartition(":")
                told.append((kinds[key], host.strip("[]"), int(port)))
        return told


def hears(manager: socket.socket, line: str) -> list[str]:
    """Return the lines of the next datagram that has *line*."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        lines = manager.recv(4096).decode().split("\n")
        if line in lines:
            return lines
    raise AssertionError(f"nothing but other lines than {line}")


@dataclass
class Machine:
    """Runs units; *folder* stands for the root of the file system."""

    folder: Path
    manager: socket.socket
    launch: Start

    def start(self, service: Unit, opened: Unit | None = None) -> Daemon:
        """Run the service, with the sockets of a socket unit if there is one."""
        plan: dict[str, Any] = {
            "umask": int(service.one("UMask"), 8),
            "command": self.command(service),
            "sockets": [],
        }
        if opened is not None:
            plan |= self._sockets(opened)
        prefix = service.path.stem.upper().replace("-", "_")
        environ = {
            "NOTIFY_SOCKET": self.manager.getsockname(),
            "WATCHDOG_USEC": str(int(service.one("WatchdogSec")) * 1_000_000),
            **self._folders(service),
            # As a line of its EnvironmentFile= would say.
            **({} if opened or prefix == "SOCKETSUITE" else {f"{prefix}_PORT": "0"}),
        }
        before = (sys.executable, "-c", AS_SYSTEMD, json.dumps(plan))
        return self.launch(service.path.stem, before=before, env=environ)

    def command(self, service: Unit) -> list[str]:
        """Return the unit's command, with this machine's twistd, and files in the folder."""
        path, *arguments = shlex.split(service.one("ExecStart"))
        assert path == "/opt/socketsuite/bin/twistd"
        return [TWISTD, *(word.replace("/etc/", f"{self.folder}/") for word in arguments)]

    def _folders(self, service: Unit) -> dict[str, str]:
        """Make the folders that the unit asks for, and return what tells the daemon of them."""
        kinds = {
            "RuntimeDirectory": ("RUNTIME_DIRECTORY", "run"),
            "StateDirectory": ("STATE_DIRECTORY", "lib"),
        }
        told = {}
        for key, name in service.lines:
            if key in kinds:
                variable, parent = kinds[key]
                made = self.folder / parent / name
                made.mkdir(parents=True)
                told[variable] = str(made)
        return told

    @staticmethod
    def _sockets(opened: Unit) -> dict[str, Any]:
        backlog = int(opened.one("Backlog"))
        only = opened.one("BindIPv6Only") == "ipv6-only"
        no_delay = opened.one("NoDelay") == "yes"
        wanted = [(kind, host, backlog, only, no_delay) for kind, host, _ in opened.sockets()]
        names = [opened.one("FileDescriptorName")] * len(wanted)
        return {"sockets": wanted, "names": ":".join(names)}


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder whose name leaves room for that of a Unix socket."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


@pytest.fixture
def machine(root: Path, manager: socket.socket, launch: Start) -> Machine:
    sample = (ETC / "socketsuite.toml").read_text()
    free = re.sub(r"^port = \d+", "port = 0", sample, flags=re.MULTILINE)
    (root / "socketsuite.toml").write_text(free)
    return Machine(root, manager, launch)


def answers(daemon: Daemon, service: str, kinds: Sequence[tuple[int, str]]) -> None:
    """See that *service* answers on a socket of each of *kinds*, as an echo does."""
    for kind, host in kinds:
        transport = "tcp" if kind == socket.SOCK_STREAM else "udp"
        pattern = rf" {service} listening transport={transport} address={host} port=(\d+)"
        port = int(daemon.wait_for_line(pattern)[1])
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as caller:
            caller.settimeout(SECONDS)
            caller.connect((host, port))
            caller.sendall(b"a\n")
            assert caller.recv(10) == b"a\n"


def test_systemd_finds_no_fault_with_the_socket_unit_and_its_service(tmp_path: Path) -> None:
    copies = [tmp_path / unit.name for unit in (SOCKET_UNIT, ITS_SERVICE)]
    for unit, copy in zip((SOCKET_UNIT, ITS_SERVICE), copies, strict=True):
        copy.write_text(
            re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.M)
        )
    command = [program("systemd-analyze"), "verify", *map(str, copies)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_socket_unit_opens_what_the_service_would_open_by_itself(
    machine: Machine, manager: socket.socket
) -> None:
    """Port 7, for this machine only, over both transports; and the same backlog."""
    unit = Unit(SOCKET_UNIT)
    assert {port for _, _, port in unit.sockets()} == {7}
    opened = sorted((kind, host) for kind, host, _ in unit.sockets())
    daemon = machine.start(Unit(ITS_SERVICE))
    hears(manager, "READY=1")
    daemon.wait_until_ready()
    told = re.findall(r"listening transport=(\w+) address=(\S+)", daemon.log)
    numbers = {"tcp": int(socket.SOCK_STREAM), "udp": int(socket.SOCK_DGRAM)}
    assert sorted((numbers[transport], host) for transport, host in told) == opened
    (backlog,) = {
        int(line.split()[2])
        for port in daemon.ports()
        for line in _listening_queues()
        if line.split()[3] == f"127.0.0.1:{port}"
    }
    assert int(unit.one("Backlog")) == backlog


def _listening_queues() -> list[str]:
    command = [program("ss"), "--listening", "--tcp", "--numeric", "--no-header"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_service_serves_the_sockets_of_its_unit_and_no_others(
    machine: Machine, manager: socket.socket
) -> None:
    unit = Unit(SOCKET_UNIT)
    daemon = machine.start(Unit(ITS_SERVICE), unit)
    assert "STATUS=serving; connections: socketsuite-echo 0" in hears(manager, "READY=1")
    daemon.wait_until_ready()
    assert daemon.log.count(" listening ") == len(unit.sockets()) == 4
    answers(daemon, "socketsuite-echo", [(kind, host) for kind, host, _ in unit.sockets()])
    assert daemon.stop() == 0


def test_the_units_name_for_its_sockets_is_the_echos_among_several_services(
    machine: Machine, manager: socket.socket
) -> None:
    unit = Unit(SOCKET_UNIT)
    (machine.folder / "socketsuite.toml").write_text("[echo]\n[chat]\nport = 0\n")
    daemon = machine.start(Unit(ETC / "socketsuite.service"), unit)
    hears(manager, "READY=1")
    daemon.wait_until_ready()
    assert daemon.log.count("socketsuite-echo listening ") == len(unit.sockets())
    answers(daemon, "socketsuite-echo", [(kind, host) for kind, host, _ in unit.sockets()])
    assert daemon.stop() == 0


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_the_units_command_comes_up_is_reloaded_and_stops(
    machine: Machine, manager: socket.socket, path: Path
) -> None:
    unit = Unit(path)
    daemon = machine.start(unit)
    lines = hears(manager, "READY=1")
    assert lines[1].startswith("STATUS=serving; connections: socketsuite")
    assert not any(line.startswith("MAINPID=") for line in lines)
    hears(manager, "WATCHDOG=1")
    kill, *arguments = shlex.split(unit.one("ExecReload"))
    words = [word.replace("$MAINPID", str(daemon.process.pid)) for word in arguments]
    subprocess.run([kill, *words], check=True)
    hears(manager, "RELOADING=1")
    hears(manager, "READY=1")
    daemon.wait_for_line("socketsuite reloaded")
    daemon.send_signal(signal.SIGTERM)
    hears(manager, "STOPPING=1")
    assert daemon.wait() == 0, "Restart=on-failure would start it again"
    assert daemon.errors == ""
    assert "Traceback" not in daemon.log
    left = [one.name for one in machine.folder.rglob("*") if not one.is_dir()]
    assert left == ["socketsuite.toml"]


def test_a_unix_socket_in_the_units_runtime_folder_is_served(
    machine: Machine, manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the comment in the unit promises: the one folder that it can write is for that."""
    unit = Unit(ETC / "socketsuite-chat.service")
    path = machine.folder / "run" / unit.one("RuntimeDirectory") / "chat"
    monkeypatch.setenv("SOCKETSUITE_CHAT_UNIX", str(path))
    daemon = machine.start(unit)
    hears(manager, "READY=1")
    with socket.socket(socket.AF_UNIX) as one, daemon.wait_until_ready().connect() as other:
        one.settimeout(SECONDS)
        one.connect(str(path))
        daemon.wait_for_line("connected transport=unix")
        other.sendall(b"hello\n")
        assert read_line(one) == b"-> hello\n"
    assert daemon.stop() == 0
    assert not path.exists()
