"""What the documents show, run: a stranger copies it as it stands."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from socketsuite.cli.command import socketsuite
from socketsuite.service import installed_services

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
# Whose commands are not only read but run: see test_lectures.py.
PLAYED = {"lectures.md"}
COMMANDS = [
    line.removeprefix("$ ").split("  #")[0].strip()
    for document in DOCUMENTS
    if document.name not in PLAYED
    for line in document.read_text().splitlines()
    if line.startswith("$ ")
]


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("twistd -n socketsuite-")])
def test_a_shown_daemon_takes_the_options_it_is_shown_with(command: str) -> None:
    _, _, name, *arguments = shlex.split(command)
    plugin: Any = installed_services()[name]
    if arguments == ["--help"]:
        return
    options = plugin.options()
    options.parseOptions([word.replace("etc/", f"{ROOT}/etc/") for word in arguments])
    assert options.configurations[0].name == name


@pytest.mark.parametrize("command", [c for c in COMMANDS if re.search(r"(^|\| )socketsuite ", c)])
def test_a_shown_client_command_exists_and_takes_its_options(command: str) -> None:
    shown = next(part for part in command.split("| ") if part.startswith("socketsuite "))
    words = shlex.split(shown)
    group = socketsuite.make_context("socketsuite", [], resilient_parsing=True)
    client = socketsuite.get_command(group, words[1])
    assert client is not None
    client.make_context(words[1], words[2:])


def test_every_link_between_the_documents_leads_somewhere() -> None:
    broken = [
        (document.name, target)
        for document in [*DOCUMENTS, *ROOT.glob("*.md"), *ROOT.glob("docs/*/*.md")]
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text())
        if not (document.parent / target).exists()
    ]
    assert broken == []


def test_the_burst_page_is_a_server_as_it_stands(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/burst.md").read_text(), re.S)
    code, plugin = blocks
    exec(plugin, {})  # the project's own page: it names only what there is
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = tmp_path / "server.py"
    script.write_text(code.replace("4007", str(port)))
    with subprocess.Popen([sys.executable, script]) as server:
        try:
            with _connected(port) as caller:
                caller.sendall(b"hello")
                assert caller.recv(5) == b"hello"
        finally:
            server.kill()


def _connected(port: int) -> socket.socket:
    deadline = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=20)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.02)  # between two looks; nothing else tells that it listens
