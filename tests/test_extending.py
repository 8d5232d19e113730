"""The tutorial of docs/extending.md, played: every file written, every command run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.peers import program
from tests.support.transcripts import Stage, programs

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text()
# What a service may tell is one service's, and has a test of its own in tests/daemons.
STEPS = dict(
    re.findall(
        r"^### ([^\n]+)\n(.*?)(?=^##)",
        re.sub(r"^## What a service may tell\n.*?(?=^## )", "", PAGE, flags=re.S | re.M),
        re.S | re.M,
    )
)
# A file with its path in the first line, or what happens at the terminals.
_BLOCK = re.compile(
    r"^```(?:\w+\n# (?P<path>[\w./]+)\n(?P<text>.*?)|console\n(?P<play>.*?))^```", re.S | re.M
)
PLAYED = [name for name, text in STEPS.items() if "```console" in text]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    (tmp_path / "work").mkdir()
    made = Stage(tmp_path / "work", programs(tmp_path / "bin"))
    made.variables = {"PYTHONPATH": "."}
    return made


def perform(stage: Stage, text: str) -> None:
    """Write the files and play the plays of one step, in their order."""
    for found in _BLOCK.finditer(text):
        if found["path"]:
            file = stage.folder / found["path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(found["text"])
        else:
            stage.play(found["play"])


@pytest.mark.parametrize("name", PLAYED)
def test_a_step_works_as_it_is_shown(stage: Stage, name: str) -> None:
    for peer in ("nc.openbsd", "curl"):
        program(peer)
    first = next(iter(STEPS.values()))
    try:
        if name.startswith(("2", "3", "4")):  # these change one file of the first step
            plugin = re.findall(r"```python\n# (twisted/\S+)\n(.*?)```", first, re.S)[0]
            perform(stage, f"```python\n# {plugin[0]}\n{plugin[1]}```")
        perform(stage, STEPS[name])
    finally:
        stage.close()


def test_every_step_of_the_tutorial_is_played() -> None:
    assert [name[0] for name in PLAYED[:5]] == ["1", "2", "3", "4", "5"]
