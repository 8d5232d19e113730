"""File modes, as TOML and the command line give them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from socketsuite.service import installed_services


def unix_mode(toml: str, folder: Path) -> int:
    file = folder / "suite.toml"
    file.write_text(f"[chat]\nunix_mode = {toml}\n")
    plugin: Any = installed_services()["socketsuite-chat"]
    options = plugin.options()
    options.parseOptions(["--config", str(file)])
    mode: int = options.configurations[0].listen.unix_mode
    return mode


@pytest.mark.parametrize("toml", ['"0600"', '"600"', '"0o600"'])
def test_a_file_mode_is_octal_text(tmp_path: Path, toml: str) -> None:
    assert unix_mode(toml, tmp_path) == 0o600


@pytest.mark.parametrize(
    "toml",
    ["true", "false", "-1", "384", "0o600", "0o1000", '"1000"', '"888"', '""', '"0o"', "6.0"],
)
def test_what_is_no_file_mode_is_one_line_and_exit_status_2(
    tmp_path: Path, toml: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """``true`` is an int in Python, and TOML's 440 and 0o670 are the same number."""
    with pytest.raises(SystemExit) as ended:
        unix_mode(toml, tmp_path)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "allowed: an octal file mode from 0000 to 0777" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(("toml", "mode"), [('"0"', 0), ('"0777"', 0o777)])
def test_the_ends_of_the_range_are_modes(tmp_path: Path, toml: str, mode: int) -> None:
    assert unix_mode(toml, tmp_path) == mode
