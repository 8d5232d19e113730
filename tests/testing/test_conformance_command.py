"""``python -m socketsuite.testing``: one line for each check, and an exit status."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from socketsuite.testing import Conformance
from tests.testing import broken

ROT13 = """
from socketsuite.testing import Conformance

kit = Conformance("acme-rot13", talk=[(b"hello\\n", b"uryyb\\n")])
wrong = Conformance("acme-rot13", talk=[(b"hello\\n", b"hello\\n")], timeout=2)
"""


@pytest.fixture
def kits(tmp_path: Path) -> Path:
    (tmp_path / "acme_kits.py").write_text(ROT13)
    return tmp_path


def conformance(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "socketsuite.testing", *arguments],
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("target", ["acme_kits.py:kit", "acme_kits:kit"])
def test_a_kit_in_a_file_or_a_module_is_run(kits: Path, target: str) -> None:
    done = conformance(kits, target, "--only", "splits,big-reply")
    assert done.returncode == 0, done.stderr
    splits, big = done.stdout.splitlines()
    assert splits.startswith("acme-rot13 splits: ok (")
    assert big == "acme-rot13 big-reply: not applicable: no big="


def test_a_failure_is_one_line_and_status_1(kits: Path) -> None:
    done = conformance(kits, "acme_kits.py", "--only", "splits")
    assert done.returncode == 1
    right, wrong = done.stdout.splitlines()
    assert " splits: ok (" in right
    assert wrong.startswith(
        "acme-rot13 splits: FAILED: request 0 (b'hello\\n') whole: the reply differs at byte 0:"
    )
    assert done.stderr == ""


def test_json_has_the_seed_and_the_shortest_failing_input(tmp_path: Path) -> None:
    env = broken.install(tmp_path, broken.RAISES_ON_BYTES_ABOVE_127)
    arguments = ("--only", "garbage,splits", "--json", "--seed", "5")
    done = conformance(tmp_path, broken.NAME, *arguments, **env)
    assert done.returncode == 1, done.stderr
    splits, garbage = map(json.loads, done.stdout.splitlines())
    assert (splits["outcome"], splits["why"]) == ("not applicable", "no talk=")
    assert (garbage["outcome"], garbage["seed"]) == ("failed", 5)
    assert "UnicodeDecodeError" in garbage["why"]
    assert garbage["shortest"].startswith(r"b'\x")


def test_an_installed_plugin_needs_no_kit_and_takes_its_own_options(tmp_path: Path) -> None:
    only = ("--only", "matrix,drain,half-close")
    done = conformance(tmp_path, "acme-rot13", *only, "--rotate", "5")
    assert done.returncode == 0, done.stderr
    outcomes = [line.split(": ")[1].split(" (")[0] for line in done.stdout.splitlines()]
    assert outcomes == ["ok", "not applicable", "ok"]


def test_list_says_what_each_check_proves_and_runs_none(kits: Path) -> None:
    done = conformance(kits, "acme_kits.py:kit", "--list", "--json")
    assert done.returncode == 0
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["check"] for one in told] == [
        check.name for check in Conformance("any").all_checks()
    ]
    assert {one["check"]: one["lacks"] for one in told}["big-reply"] == "no big="
    assert all(one["proves"] for one in told)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("acme-nothing",), "acme-nothing does not start: .*Unknown command: acme-nothing"),
        (("acme-rot13", "--rotate", "99"), "acme-rot13 does not start: .*--rotate"),
        (("nothing.py",), "cannot load nothing.py"),
        (("acme_kits:nothing",), "acme_kits has no Conformance called 'nothing'"),
        (("json:loads",), "json has no Conformance called 'loads'"),
        (("acme_kits:kit", "--rotate", "5"), "unknown option --rotate"),
        (("acme_kits:kit", "--only", "spilts"), "no check is called 'spilts'; did you mean splits"),
        ((), "the following arguments are required: TARGET"),
    ],
)
def test_what_is_said_wrongly_is_one_line_and_status_2(
    kits: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = conformance(kits, *arguments)
    assert done.returncode == 2
    assert re.search(words, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
