"""Commands of other packages: listed apart, run as built-in ones are, broken for themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from socketsuite.testing import until
from tests.cli.conftest import Client, Start
from tests.cli.contract import read

MODULE = """
import sys
from pathlib import Path
import click
from socketsuite.cli.options import json_option, pass_output

Path(__file__).with_name("loaded").touch()

@click.command()
@json_option
@click.argument("how")
@pass_output
def say(output, how):
    "Say something, and end somehow."
    print("said")
    output.totals["words"] = 1
    if how == "wait":
        Path(__file__).with_name("waiting").touch()
        sys.stdin.read()
    elif how == "exit":
        click.get_current_context().exit(3)
    elif how == "words":
        sys.exit("no more to say")
    elif how == "prompt":
        click.prompt("what")
    return how

click_less = print
"""
ENTRIES = {
    "say": "acme_tool:say",
    "probe": "acme_tool:say",
    "gone": "acme_nowhere:say",
    "leaves": "acme_leaving",
    "less": "acme_tool:click_less",
}

BROKEN = {
    "gone": "ModuleNotFoundError: No module named 'acme_nowhere'",
    "leaves": "SystemExit: not here",
    "less": "acme_tool:click_less is not a click command",
}


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The environment in which the package acme-tool is installed, beside remains of others."""
    (tmp_path / "acme_tool.py").write_text(MODULE)
    (tmp_path / "acme_leaving.py").write_text("raise SystemExit('not here')")
    lines = [f"{name} = {target}" for name, target in ENTRIES.items()]
    text = "\n".join(["[socketsuite.commands]", *lines, ""])
    install(tmp_path, "acme-tool", text)
    install(tmp_path, "zebra-tool", "[socketsuite.commands]\nsay = acme_nowhere:say\n")
    (tmp_path / "remains-1.0.dist-info").mkdir()
    (tmp_path / "remains-1.0.dist-info" / "entry_points.txt").write_text(text)
    path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    return {"PYTHONPATH": path, "COLUMNS": "200"}


def install(folder: Path, name: str, entry_points: str) -> None:
    about = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(entry_points)


def test_help_lists_them_apart_with_their_package_and_why_one_is_unavailable(
    client: Client, env: dict[str, str]
) -> None:
    done = client("--help", env=env)
    listed = done.stdout.decode().partition("Installed commands:\n")[2].partition("\n\n")[0]
    shown = " ".join(listed.split())
    assert "say Say something, and end somehow. (acme-tool)" in shown
    assert "(acme-rot13)" in shown
    for name, why in BROKEN.items():
        assert f"{name} unavailable: {why} (acme-tool)" in shown
    assert "probe" not in shown
    assert done.returncode == 0
    assert done.stderr.decode().splitlines() == [
        "The command probe of acme-tool is hidden by the built-in one.",
        "The command say of zebra-tool is hidden by that of acme-tool.",
    ]


def test_a_built_in_command_looks_for_no_other(
    client: Client, env: dict[str, str], tmp_path: Path
) -> None:
    done = client("probe", "--unix", "/nowhere", env=env)
    assert (done.returncode, done.stdout.count(b"\n"), done.stderr) == (1, 1, b"")
    code = (
        "import sys\nfrom socketsuite.cli.command import main\n"
        "try: main(['probe', '--help'])\nexcept SystemExit: pass\n"
        "sys.exit(3 if 'importlib.metadata' in sys.modules else 0)"
    )
    again = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **env}, capture_output=True, check=False
    )
    assert again.returncode == 0
    assert not (tmp_path / "loaded").exists()


@pytest.mark.parametrize("name", BROKEN)
def test_one_that_is_broken_is_one_line_and_status_1(
    client: Client, env: dict[str, str], name: str
) -> None:
    done = client(name, "--option", env=env)
    text = f"The command {name} of acme-tool is unavailable: {BROKEN[name]}"
    assert (done.returncode, done.stdout, done.stderr.decode()) == (1, b"", text + "\n")
    done = client(name, "--json", env=env)
    _, result = read(done.stdout)
    assert (done.returncode, result["command"], done.stderr) == (1, name, b"")
    assert result["error"] == {"code": "system", "message": text}


@pytest.mark.parametrize(
    ("how", "status", "line"),
    [
        ("well", 0, ""),
        ("exit", 3, ""),
        ("words", 1, "no more to say\n"),
        ("prompt", 1, "Aborted: standard input has ended.\n"),
    ],
)
def test_its_end_is_a_status_and_a_result_whatever_the_way(
    client: Client, env: dict[str, str], how: str, status: int, line: str
) -> None:
    done = client("say", how, env=env)
    assert done.stdout.splitlines()[0] == b"said"
    assert (done.returncode, done.stderr.decode()) == (status, line)
    done = client("say", "--json", how, env=env)
    said, _, told = done.stdout.partition(b"\n")
    told = told[told.index(b"{") :]  # behind the prompt
    _, result = read(told)
    assert (said, done.returncode, result["status"]) == (b"said", status, status)
    assert (result["command"], result["words"], done.stderr) == ("say", 1, b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_it_prints_is_there_at_once_and_a_signal_ends_it(
    start: Start, env: dict[str, str], tmp_path: Path, number: int
) -> None:
    process = start("say", "--json", "wait", env={**os.environ, **env})
    assert process.stdout is not None
    assert process.stdout.readline() == b"said\n"
    until((tmp_path / "waiting").exists, bool)
    process.send_signal(number)
    said, errors = process.communicate()
    _, result = read(said)
    assert (process.returncode, result["status"], errors) == (128 + number, 128 + number, b"")


def test_output_that_cannot_be_written_ends_it_by_one_line_at_most(
    client: Client, env: dict[str, str]
) -> None:
    with open("/dev/full", "wb") as full:
        done = client("say", "well", env=env, stdout=full)
    text = b"cannot write standard output: no space left on device\n"
    assert (done.returncode, done.stderr) == (1, text)
    ours, theirs = os.pipe()
    os.close(ours)
    done = client("say", "well", env=env, stdout=theirs)
    os.close(theirs)
    assert (done.returncode, done.stderr) == (1, b"")
