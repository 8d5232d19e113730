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
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport

from socketsuite.cli.command import socketsuite
from socketsuite.service import installed_services
from socketsuite.testing import Conformance
from tests.support.ports import free_port

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
    code, to_many, together, plugin = blocks
    exec(plugin, {})  # the project's own page: it names only what there is
    shown: dict[str, Any] = {}
    exec(to_many, shown)
    people: list[Any] = [Protocol() for _ in range(3)]
    for person in people:
        person.makeConnection(StringTransport())
    shown["tell"](people[0], people[1:], b"hello")
    assert [person.transport.value() for person in people] == [b"", b"hello", b"hello"]
    exec(together, shown)
    shown["answer"](people[0].transport, [b"one", b"two"])
    assert people[0].transport.value() == b"onetwo"
    port = free_port()
    script = tmp_path / "server.py"
    script.write_text(code.replace("4007", str(port)))
    with subprocess.Popen([sys.executable, script]) as server:
        try:
            with _connected(port) as caller:
                caller.sendall(b"hello")
                assert caller.recv(5) == b"hello"
        finally:
            server.kill()


def test_the_testing_page_is_a_test_module_as_it_stands(tmp_path: Path) -> None:
    text = (ROOT / "docs/testing.md").read_text()
    (tmp_path / "test_conformance.py").write_text(
        "".join(re.findall(r"```python\n(.*?)```", text, re.S))
    )
    wanted = ("-k", "splits or rotation", "-p", "no:cacheprovider")
    tested = _output(tmp_path, "-m", "pytest", "-q", *wanted, "test_conformance.py")
    assert "2 passed" in tested
    (shown,) = re.findall(r"\$ python (-m socketsuite.testing test_conf.*)\n((?:acme.*\n)*)", text)
    printed = _output(tmp_path, *shlex.split(shown[0]))
    times = re.compile(r"[\d.]+ s\b")
    assert times.sub("", printed) == times.sub("", shown[1])


def test_the_testing_page_names_every_check() -> None:
    text = (ROOT / "docs/testing.md").read_text()
    told = re.findall(r"^\| `([\w-]+)` \| [^|]* \| ([^|]*)\|$", text, re.M)
    checks = Conformance("any").all_checks()
    assert [name for name, _ in told] == [check.name for check in checks]
    lacks = {check.name: check.lacks.removeprefix("no ").rstrip("=") for check in checks}
    assert {name: needs.strip("` ") for name, needs in told} == lacks


def _output(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _connected(port: int) -> socket.socket:
    deadline = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=20)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.02)  # between two looks; nothing else tells that it listens
