"""The campaign that delays system calls: they come late, and do what they did."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.generator import find_compiler
from tests.campaigns.delays import ROOT, TIMED, environment
from tests.testing.kits import chat

_WRITES = 50
_PROGRAM = f"""
import os, time
began = time.monotonic()
for n in range({_WRITES}):
    os.write(1, b"%d\\n" % n)
print(time.monotonic() - began)
"""


@pytest.fixture
def compiler() -> str:
    found = find_compiler()
    if found is None:
        pytest.skip("no C compiler")
    return found


def test_calls_take_a_while_and_do_what_they_did(compiler: str, tmp_path: Path) -> None:
    variables = {**os.environ, **environment(compiler, tmp_path, 1, 0.004)}
    command = [sys.executable, "-c", _PROGRAM]
    said = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    *numbers, seconds = said.stdout.split()
    assert numbers == [str(n) for n in range(_WRITES)]
    # Two delays for each, of two milliseconds in the mean.
    assert float(seconds) > _WRITES * 0.002
    assert said.stderr == ""


def test_a_daemon_whose_calls_are_delayed_ends_in_order(compiler: str, tmp_path: Path) -> None:
    kit = replace(chat, env=environment(compiler, tmp_path, 40, 0.01))
    (drain,) = (check for check in kit.checks() if check.name == "drain")
    drain.run(tmp_path)


@pytest.mark.parametrize("name", TIMED)
def test_what_is_left_out_is_there(name: str) -> None:
    path, _, test = name.partition("::")
    assert (ROOT / "tests" / path).exists()
    assert not test or f"def {test}(" in (ROOT / "tests" / path).read_text()
