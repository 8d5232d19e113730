"""A systemd of one's own: a real one, the first process of namespaces that end with it.

It has its own processes, network, host name and control groups, and folders of its own over
/etc, /opt, /run, /var, /tmp, /home, /root and /dev; the rest of the file system is read-only to
it.  At /opt it has this Python, its packages and this project, with a twistd where the units in
etc/ look for one, all of it readable by the users that systemd makes up.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from tests.daemons.own_network import beside
from tests.support.admin import until
from tests.support.outside import SECONDS
from tests.support.peers import program

PROJECT = Path(__file__).parents[2]
ETC = PROJECT / "etc"
BOOT = Path(__file__).with_suffix(".sh")
SYSTEMD = Path("/lib/systemd/systemd")
SECONDS_TO_BOOT = 15.0
ITS_NAMESPACES = ("--pid", "--mount", "--uts", "--ipc", "--net")
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "container": "unshare",
    # Its own units and no others, whatever is installed here.
    "SYSTEMD_UNIT_PATH": "/etc/systemd/system",
    "SYSTEMD_GENERATOR_PATH": "/run/none",
    "SYSTEMD_ENVIRONMENT_GENERATOR_PATH": "/run/none",
}

_Done = TypeVar("_Done")


class OwnSystemd:
    """A running systemd, and what its administrator does with it.

    Who makes one ends it too.  Skips the test where this machine has no systemd, or no control
    groups for it.

    :param folder: an empty folder, in which only what the first process says remains.
    """

    def __init__(self, folder: Path) -> None:
        for name in ("unshare", "nsenter", "setpriv", "systemctl", "journalctl", "ip"):
            program(name)
        if not SYSTEMD.exists():
            pytest.skip(f"needs {SYSTEMD}")
        self._group = _new_control_group()
        self._output = folder / "output"
        stage = folder / "stage"
        stage.mkdir()
        # It ends with its parent, which ends with us, even if we are killed.
        die = ("setpriv", "--pdeathsig", "KILL")
        isolated = ("unshare", "--fork", "--kill-child=SIGKILL", *ITS_NAMESPACES)
        prefix = Path(sys.base_prefix).resolve()
        python = Path(sys.executable).resolve().relative_to(prefix)
        words = (stage, prefix, python, PROJECT, self._group, *_packages())
        with self._output.open("wb") as output:
            self._parent = subprocess.Popen(
                [*die, *isolated, "sh", str(BOOT), *map(str, words)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=ENVIRONMENT,
            )

    def wait_until_up(self) -> str:
        """Return nothing once it is up, or else why it is not."""
        deadline = time.monotonic() + SECONDS_TO_BOOT
        said = ""
        while self._parent.poll() is None:
            if time.monotonic() > deadline:
                return f"systemd did not come up: {said}"
            for child in psutil.Process(self._parent.pid).children():
                # Before that, another systemd might answer: this machine's own.
                if child.name() == SYSTEMD.name:
                    self.pid = child.pid
                    done = self.run("systemctl", "is-system-running")
                    said = (done.stdout + done.stderr).strip()
            if said in ("running", "degraded"):
                return ""
            time.sleep(0.02)  # between two looks; nothing else tells
        return f"unshare ended with {self._parent.returncode}: {self._output.read_text().strip()}"

    def end(self) -> None:
        """End it and everything in it, and see that nothing is left."""
        if self._parent.poll() is None:
            # The parent ends last: when the kernel has ended every process in there.
            for child in psutil.Process(self._parent.pid).children():
                child.kill()
            try:
                self._parent.wait(SECONDS)
            finally:
                self._parent.kill()
                self._parent.wait()
        until(self._remove_control_groups, bool)

    def _remove_control_groups(self) -> bool:
        """Whether all of them are gone; those that a process is still leaving are not."""
        try:
            for folder, _, _ in os.walk(self._group, topdown=False):
                os.rmdir(folder)
        except OSError:
            return False
        return not self._group.exists()

    @property
    def root(self) -> Path:
        """Its file system, as its first process sees it."""
        return Path(f"/proc/{self.pid}/root")

    def at(self, path: str) -> Path:
        """Return where *path* of its file system is in ours."""
        return self.root / path.lstrip("/")

    def write(self, path: str, text: str) -> None:
        """Write a file of its file system."""
        where = self.at(path)
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in there, as root."""
        there = ("--target", str(self.pid), *ITS_NAMESPACES, "--cgroup")
        return subprocess.run(
            ["nsenter", *there, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * SECONDS,
            check=False,
        )

    def does(self, *command: str) -> str:
        """Run systemctl in there; it has to succeed."""
        done = self.run("systemctl", *command)
        assert done.returncode == 0, f"{done.stderr}\n{self.journal()}"
        return done.stdout

    def edit(self, unit: str, text: str) -> None:
        """Add to what a unit says, as ``systemctl edit`` does."""
        self.write(f"/etc/systemd/system/{unit}.d/override.conf", text)
        self.does("daemon-reload")

    def shows(self, unit: str, *keys: str) -> dict[str, str]:
        """Return properties of a unit."""
        lines = self.does("show", f"--property={','.join(keys)}", unit).splitlines()
        return dict(line.split("=", 1) for line in lines)

    def show(self, unit: str, key: str) -> str:
        """Return one property of a unit."""
        return self.shows(unit, key)[key]

    def process(self, unit: str) -> Path:
        """Return the folder in /proc of a unit's main process."""
        return self.at("proc") / self.show(unit, "MainPID")

    def signal(self, unit: str, number: signal.Signals) -> None:
        """Send a unit's main process a signal, behind systemd's back."""
        done = self.run("kill", f"-{number.value}", self.show(unit, "MainPID"))
        assert done.returncode == 0, done.stderr

    def journal(self, *selection: str) -> str:
        """Return the text of the journal's lines."""
        return self.run("journalctl", "--output=cat", "--no-pager", *selection).stdout

    def log(self, unit: str) -> str:
        """Return what the processes of a unit wrote, without what systemd says of them."""
        return self.journal(f"_SYSTEMD_UNIT={unit}")

    def within(self, work: Callable[[], _Done]) -> _Done:
        """Return what *work* does in its network; a socket made there stays there."""
        return beside(self.pid, work)

    def connect(self, port: int, host: str = "127.0.0.1") -> socket.socket:
        """Return a connection made at the first try, with a deadline on every call."""
        return self.within(lambda: socket.create_connection((host, port), timeout=SECONDS))

    def datagrams(self, port: int, host: str = "127.0.0.1") -> socket.socket:
        """Return a socket that speaks to a port by UDP, with a deadline on every call."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        made = self.within(lambda: socket.socket(family, socket.SOCK_DGRAM))
        made.settimeout(SECONDS)
        made.connect((host, port))
        return made


def _packages() -> Sequence[str]:
    """Return the folders that this Python has its packages in."""
    names = ("site-packages", "dist-packages")
    return [path for path in sys.path if Path(path).name in names and Path(path).is_dir()]


def _new_control_group() -> Path:
    """Return a new group within the one that this process is in."""
    mounts = Path("/proc/self/mountinfo").read_text()
    found = re.search(r"^\S+ \S+ \S+ / (\S+) .* - cgroup2 ", mounts, re.MULTILINE)
    ours = re.search(r"^0::/(.*)$", Path("/proc/self/cgroup").read_text(), re.MULTILINE)
    if found is None or ours is None:
        pytest.skip("needs the second version of control groups")
    try:
        return Path(tempfile.mkdtemp(dir=Path(found[1], ours[1]), prefix="socketsuite-test-"))
    except OSError as error:
        pytest.skip(f"this machine allows no control group of one's own: {error}")
