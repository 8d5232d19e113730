"""The systemd units in etc/: systemd accepts them, twistd understands them, and they are tight."""

from __future__ import annotations

import ctypes
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from twisted.scripts._twistd_unix import ServerOptions

from socketsuite.testing import read_line
from tests.daemons.conftest import Start
from tests.support.peers import program

ETC = Path(__file__).parents[2] / "etc"
UNITS = sorted(ETC.glob("*.service"))
each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)

# Where `security` prints it: from 0, tight, to 10, open.
EXPOSURE_ALLOWED = 1.5
PR_SET_MDWE, PR_GET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 66, 1
WITHOUT_WRITABLE_CODE = f"""
import ctypes, os, sys
if ctypes.CDLL(None).prctl({PR_SET_MDWE}, {PR_MDWE_REFUSE_EXEC_GAIN}, 0, 0, 0) != 0:
    sys.exit("prctl refused")
os.execv(sys.argv[1], sys.argv[1:])
"""


def value_of(unit: Path, key: str) -> str:
    """Return what the one line *key*``=`` of *unit* says."""
    (value,) = re.findall(rf"^{key}=(.*)$", unit.read_text(), flags=re.MULTILINE)
    return str(value)


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [program("systemd-analyze"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def installable(unit: Path, folder: Path) -> Path:
    """Return a copy of *unit* whose program is one that this machine has."""
    text, replaced = re.subn(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.M)
    assert replaced == 1
    copy = folder / unit.name
    copy.write_text(text)
    return copy


def test_the_three_units_are_there() -> None:
    names = ["socketsuite-chat.service", "socketsuite-echo.service", "socketsuite.service"]
    assert [unit.name for unit in UNITS] == names


@each_unit
def test_systemd_finds_no_fault_with_the_unit(unit: Path, tmp_path: Path) -> None:
    done = analyze("verify", str(installable(unit, tmp_path)))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@each_unit
def test_the_unit_exposes_little(unit: Path, tmp_path: Path) -> None:
    done = analyze("security", "--offline=true", str(installable(unit, tmp_path)))
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= EXPOSURE_ALLOWED, done.stdout


def options_of(unit: Path) -> Any:
    """Return what twistd makes of the unit's command, with the sample for the suite's file."""
    path, *arguments = shlex.split(value_of(unit, "ExecStart"))
    assert Path(path).name == "twistd"
    options: Any = ServerOptions()
    options.parseOptions([word.replace("/etc/", f"{ETC}/") for word in arguments])
    return options


@each_unit
def test_twistd_understands_the_units_command_and_stays_in_the_foreground(unit: Path) -> None:
    options = options_of(unit)
    assert options["nodaemon"]
    assert options.subCommand == unit.stem


@each_unit
def test_systemd_waits_longer_than_the_drain(unit: Path) -> None:
    drains = [each.limits.drain_timeout for each in options_of(unit).subOptions.configurations]
    assert int(value_of(unit, "TimeoutStopSec")) > max(drains)


def test_only_the_echo_on_port_7_holds_a_capability_and_it_is_the_one_for_low_ports() -> None:
    allowed = {unit.stem: value_of(unit, "CapabilityBoundingSet") for unit in UNITS}
    echo = allowed.pop("socketsuite-echo")
    given = value_of(ETC / "socketsuite-echo.service", "AmbientCapabilities")
    assert echo == given == "CAP_NET_BIND_SERVICE"
    assert set(allowed.values()) == {""}


def test_a_daemon_runs_without_memory_that_is_writable_and_executable(serve: Start) -> None:
    """As under MemoryDenyWriteExecute, which the units say."""
    if ctypes.CDLL(None).prctl(PR_GET_MDWE, 0, 0, 0, 0) < 0:
        pytest.skip("needs Linux 6.3")
    deny = (sys.executable, "-c", WITHOUT_WRITABLE_CODE)
    daemon = serve("acme-rot13", before=deny)
    with daemon.connect() as caller:
        caller.sendall(b"a\n")
        assert read_line(caller) == b"n\n"
    assert daemon.stop() == 0
