"""The completions offer what the commands take: asked of the real shells."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.peers import program
from tools.commands import clients, daemons
from tools.completions import completions

Ask = Callable[..., list[str]]
COMMITTED = Path(__file__).parents[1] / "completions"


def test_completions_are_up_to_date() -> None:
    files = [path for path in COMMITTED.rglob("*") if path.is_file()]
    committed = {str(path.relative_to(COMMITTED)): path.read_text() for path in files}
    assert committed == completions(), "run: make docs"


def run(*command: str, cwd: Path, **environment: str) -> list[str]:
    done = subprocess.run(
        command,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "HOME": str(cwd), "TERM": "dumb", **environment},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def in_bash(folder: Path, *words: str) -> list[str]:
    """Return what bash offers for the last of *words*, cut at ``=`` as bash cuts them."""
    script = (
        f"source {COMMITTED}/bash/{words[0]}; COMP_WORDS=({shlex.join(words)});"
        f' COMP_CWORD={len(words) - 1}; _socketsuite_{words[0]}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    return sorted(line for line in run(program("bash"), "-c", script, cwd=folder) if line)


def in_fish(folder: Path, *words: str) -> list[str]:
    """Return what fish offers for the last of *words*."""
    line = " ".join(words)
    script = f"source {COMMITTED}/fish/{words[0]}.fish; complete -C {shlex.quote(line)}"
    found = run(program("fish"), "--no-config", "-c", script, cwd=folder)
    return sorted(one.partition("\t")[0] for one in found)


@pytest.mark.parametrize("ask", [in_bash, in_fish])
def test_the_commands_and_their_flags_are_offered(ask: Ask, tmp_path: Path) -> None:
    names = {command.name for command in clients()}
    assert names <= set(ask(tmp_path, "socketsuite", ""))
    assert ask(tmp_path, "socketsuite", "co") == ["connect"]
    assert ask(tmp_path, "socketsuite", "connect", "--ti") == ["--timeout"]
    assert {"--bind", "--wait"} <= set(ask(tmp_path, "socketsuite", "udp", "--"))
    assert "--bind" not in ask(tmp_path, "socketsuite", "probe", "--")
    services = {command.name for command in daemons()}
    assert services <= set(ask(tmp_path, "twistd", "socketsuite"))
    assert ask(tmp_path, "twistd", "-n", "socketsuite-echo", "--udp-r") == ["--udp-rate"]
    assert ask(tmp_path, "twistd", "-n", "socketsuite-chat", "--udp-r") == []


@pytest.mark.parametrize("ask", [in_bash, in_fish])
def test_a_value_is_a_choice_or_a_file_or_nothing(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "a file.pem").touch()
    assert ask(tmp_path, "twistd", "socketsuite-chat", "--log-format", "j") == ["json"]
    assert ask(tmp_path, "socketsuite", "accumulate", "--width", "") == ["32", "64"]
    (file,) = ask(tmp_path, "socketsuite", "connect", "--cafile", "a")
    assert file.replace("\\", "") == "a file.pem"
    assert ask(tmp_path, "socketsuite", "connect", "--timeout", "a") == []


def test_bash_offers_a_value_behind_an_equals_sign(tmp_path: Path) -> None:
    flag = ("twistd", "-n", "socketsuite-chat", "--log-format", "=")
    assert in_bash(tmp_path, *flag) == ["json", "text"]
    assert in_bash(tmp_path, *flag, "te") == ["text"]


def test_zsh_reads_its_completion(tmp_path: Path) -> None:
    run(program("zsh"), "-f", "-n", str(COMMITTED / "zsh/_socketsuite"), cwd=tmp_path)
