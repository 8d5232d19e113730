"""What is released as source is a checkout: ``make run`` there starts the chat."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from socketsuite.testing import read_line
from tests.packaging.conftest import ROOT, STEP_SECONDS

pytestmark = [
    pytest.mark.xdist_group("packaging"),
    pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed"),
]


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="git is what knows the files")
def test_the_sdist_holds_all_that_a_checkout_holds_and_no_more(unpacked_sdist: Path) -> None:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    # One that is deleted, and not committed yet, cannot be packed.
    tracked = {n for n in listing.stdout.decode().split("\0") if n and (ROOT / n).exists()}
    packed = files_below(unpacked_sdist)
    assert tracked - packed == set()
    assert [name for name in packed if name.endswith((".pyc", ".cache"))] == []
    assert "PKG-INFO" in packed


@pytest.fixture
def make_run(unpacked_sdist: Path) -> Iterator[subprocess.Popen[str]]:
    command = ["make", "run", "PORT=0", "IRC_PORT=0", "WEB_PORT=0"]
    environment = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
    environment["PIP_NO_COMPILE"] = "0"  # pip's word for yes: most of it is never imported
    environment["CC"] = "/there/is/none"  # every other install of the tests has one
    with subprocess.Popen(
        command,
        cwd=unpacked_sdist,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as running:
        group = running.pid
        late = threading.Timer(2 * STEP_SECONDS, os.killpg, (group, signal.SIGKILL))
        late.start()
        try:
            yield running
        finally:
            late.cancel()
            if running.poll() is None:
                os.killpg(group, signal.SIGKILL)


def test_make_run_without_a_compiler_starts_the_chat_of_an_sdist_and_ctrl_c_ends_it(
    make_run: subprocess.Popen[str],
) -> None:
    assert make_run.stdout is not None
    port, said = 0, []
    for line in make_run.stdout:
        said.append(line)
        where = r"listening transport=tcp address=127\.0\.0\.1 port=(\d+) .*frontend=lines"
        if found := re.search(where, line):
            port = int(found[1])
        if "socketsuite ready" in line:
            break
    assert port, "".join(said)
    assert sum("is not compiled here" in line for line in said) == 1
    assert any(" io=python " in line for line in said)
    address = ("127.0.0.1", port)
    with (
        socket.create_connection(address, timeout=20) as ann,
        socket.create_connection(address, timeout=20) as bob,
    ):
        bob.sendall(b"hello\n")  # callers are let in in their order: Ann is there
        assert read_line(ann) == b"-> hello\n"
    os.killpg(make_run.pid, signal.SIGINT)
    rest = make_run.stdout.read()
    make_run.wait(20)
    assert "stopped" in rest
    assert "Traceback" not in rest
