"""Plugins of several packages beside each other: names that begin alike, and names twice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from socketsuite.testing import Daemon
from tests.daemons.conftest import Start
from tests.daemons.strangers import install

SETTINGS = "@dataclass(eq=False)\nclass make(Plain):\n    all_size: int = setting(1)\n"
TOLD = SETTINGS + "    def startFactory(self):\n        print('made by', __name__)\n"


@pytest.fixture
def beside(launch: Start, tmp_path: Path) -> Start:
    """Start a daemon that finds the packages installed in the test's folder."""

    def start(*arguments: str, **variables: str) -> Daemon:
        path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
        env: dict[str, Any] = {"PYTHONPATH": path, **variables}
        return launch(*arguments, env=env)

    return start


def test_a_variable_of_a_service_with_a_longer_name_keeps_nobody_from_starting(
    beside: Start, tmp_path: Path
) -> None:
    install(tmp_path, "od", SETTINGS)
    install(tmp_path, "od-all", SETTINGS)
    said = {"OD_ALL_PORT": "0, 0", "OD_ALL_METRICS_PORT": "0", "OD_PORT": "0"}
    short = beside("od", **said).wait_until_ready()
    assert (len(short.ports()), "metrics http" in short.log) == (1, False)
    long = beside("od-all", **said).wait_until_ready()
    assert (len(long.ports()), "metrics http" in long.log) == (2, True)


def test_a_mistake_in_a_variable_of_a_service_that_is_not_installed_is_told(
    beside: Start, tmp_path: Path
) -> None:
    install(tmp_path, "od", SETTINGS)
    daemon = beside("od", "--port", "0", OD_ALL_PORT="secret")
    assert daemon.wait() == 2
    assert daemon.errors.startswith("od: unknown environment variable 'OD_ALL_PORT'")
    assert "secret" not in daemon.errors


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
@pytest.mark.parametrize("suite", [False, True])
def test_of_two_plugins_of_one_name_the_same_is_served_always_and_a_line_tells(
    beside: Start, tmp_path: Path, order: tuple[str, str], suite: bool
) -> None:
    for module in order:
        install(tmp_path, "acme-odd", TOLD, module=f"acme_{module}")
        # The cache of plugins has them in the order in which they were found.
        assert beside("acme-odd", "--check-config").wait() == 0
    (tmp_path / "all.toml").write_text("[acme-odd]\nport = 0\n")
    command = ("socketsuite", "--config", "all.toml") if suite else ("acme-odd", "--port", "0")
    daemon = beside(*command).wait_until_ready()
    assert "made by acme_one" in daemon.log
    warning = daemon.wait_for_line(" acme-odd warn (.*)")[1]
    assert warning == (
        "acme_one:make is served; also installed under this name, and not served: acme_two:make;"
        " uninstall one, or rename it"
    )
    assert daemon.log.count("also installed") == 1
    assert daemon.stop() == 0
