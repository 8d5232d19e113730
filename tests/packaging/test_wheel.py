"""What pip installs is a working suite: every command is listed, and the daemons answer."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from socketsuite.testing import Daemon, read_exactly, read_line
from socketsuite.transport import compiled
from tests.packaging.conftest import ROOT, Venv

# One worker makes the venvs, once, however many run the other tests.
pytestmark = pytest.mark.xdist_group("packaging")

WHERE = ["installed", pytest.param("editable", marks=pytest.mark.thorough)]

COMMANDS = {
    "socketsuite",
    "socketsuite-accumulator",
    "socketsuite-chargen",
    "socketsuite-chat",
    "socketsuite-daytime",
    "socketsuite-discard",
    "socketsuite-echo",
    "socketsuite-filesink",
    "socketsuite-qotd",
    "socketsuite-time",
    "socketsuite-watch",
    "acme-rot13",
}


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="there is one worker")
def test_the_tests_of_one_group_are_known_as_such_to_who_distributes_them(
    request: pytest.FixtureRequest,
) -> None:
    assert request.node.nodeid.endswith("@packaging")


@pytest.mark.parametrize(
    ("distribution", "plugin"),
    [
        ("socketsuite", "twisted/plugins/socketsuite_plugins.py"),
        ("acme_rot13", "twisted/plugins/acme_rot13.py"),
    ],
)
def test_of_the_twisted_package_the_wheel_holds_the_plugin_file_and_nothing_else(
    wheels: dict[str, Path], distribution: str, plugin: str
) -> None:
    names = zipfile.ZipFile(wheels[distribution]).namelist()
    assert [name for name in names if name.startswith("twisted/")] == [plugin]


def test_the_wheel_says_that_it_is_typed_and_holds_no_cache(wheels: dict[str, Path]) -> None:
    names = zipfile.ZipFile(wheels["socketsuite"]).namelist()
    assert "socketsuite/py.typed" in names
    assert [name for name in names if name.endswith((".pyc", ".cache"))] == []


@pytest.mark.skipif(not compiled.AVAILABLE, reason="nothing can be compiled here")
def test_the_wheel_has_the_compiled_burst_and_is_for_this_machine(wheels: dict[str, Path]) -> None:
    names = zipfile.ZipFile(wheels["socketsuite"]).namelist()
    module = f"socketsuite/transport/_burst{sysconfig.get_config_var('EXT_SUFFIX')}"
    assert [name for name in names if name.endswith(".so")] == [module]
    assert "socketsuite/transport/_burst.pyi" in names
    assert "linux" in wheels["socketsuite"].name


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"CC": "/there/is/none"}, "not compiled: there is no C compiler"),
        ({"CC": "false"}, "not compiled: false fails"),
        ({"SOCKETSUITE_PURE": "1"}, "not compiled: SOCKETSUITE_PURE forbids it"),
    ],
)
def test_where_nothing_can_be_compiled_the_wheel_is_pure_and_a_line_says_so(
    source: Path, tmp_path: Path, environment: dict[str, str], said: str
) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=source,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout + done.stderr).count(said) == 1
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")


def test_the_wheel_holds_the_chats_page_whole(wheels: dict[str, Path]) -> None:
    folder = "socketsuite/services/chat/web/page/"
    with zipfile.ZipFile(wheels["socketsuite"]) as wheel:
        packed = {n.rpartition("/")[2] for n in wheel.namelist() if n.startswith(folder)}
        page = wheel.read(f"{folder}index.html").decode()
    assert packed == {path.name for path in (ROOT / folder).iterdir() if path.is_file()}
    named = set(re.findall(r'(?:href|src)="([\w-]+\.(?:css|js))"', page))
    assert "chat.js" in named
    assert named <= packed


def test_manual_pages_and_completions_are_where_man_and_the_shells_look(installed: Venv) -> None:
    share = installed.path / "share"
    for folder, where in {
        "man": "man/man1",
        "completions/bash": "bash-completion/completions",
        "completions/fish": "fish/vendor_completions.d",
        "completions/zsh": "zsh/site-functions",
    }.items():
        ours = {path.name: path.read_bytes() for path in (ROOT / folder).iterdir()}
        assert ours
        assert {name: (share / where / name).read_bytes() for name in ours} == ours
    daemons = {name for name in COMMANDS if name.startswith("socketsuite")}
    for page in ("socketsuite", "socketsuite-connect", *(f"twistd-{name}" for name in daemons)):
        assert (share / "man" / "man1" / f"{page}.1").exists()


def test_an_installed_wheel_lists_every_command(installed: Venv) -> None:
    assert installed.home_of("socketsuite").is_relative_to(installed.path)
    assert installed.commands() >= COMMANDS


@pytest.mark.thorough  # the tests themselves run in such a one
def test_an_editable_install_lists_every_command(editable: Venv, source: Path) -> None:
    assert editable.home_of("socketsuite").is_relative_to(source)
    assert editable.home_of("acme").is_relative_to(source)
    assert editable.commands() >= COMMANDS


@pytest.mark.parametrize("where", WHERE)
def test_an_installed_echo_answers_and_ends_with_status_0(
    request: pytest.FixtureRequest, tmp_path: Path, where: str
) -> None:
    twistd = request.getfixturevalue(where).twistd
    daemon = Daemon(tmp_path, "socketsuite-echo", "--port", "0", twistd=twistd)
    try:
        daemon.wait_until_ready()
        with daemon.connect() as caller:
            caller.sendall(b"hello")
            assert read_exactly(caller, 5) == b"hello"
        assert daemon.has_line(r" io=compiled(\+io_uring)?$") == compiled.AVAILABLE
        assert daemon.stop() == 0
    finally:
        daemon.kill()


@pytest.mark.parametrize("where", WHERE)
def test_a_third_partys_package_adds_a_daemon_of_its_own(
    request: pytest.FixtureRequest, tmp_path: Path, where: str
) -> None:
    twistd = request.getfixturevalue(where).twistd
    daemon = Daemon(tmp_path, "acme-rot13", "--port", "0", "--rotate", "1", twistd=twistd)
    try:
        daemon.wait_until_ready()
        with daemon.connect() as caller:
            caller.sendall(b"HAL\n")
            assert read_line(caller) == b"IBM\n"
        assert daemon.stop() == 0
    finally:
        daemon.kill()
