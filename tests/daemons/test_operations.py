"""docs/operations.md at work: every command in it is run, and does what the text claims.

The commands are read from the document: those at a prompt, and those between backquotes in the
text.  Each has its entry in COMMANDS; one without fails.  SUBSTITUTED says what of a command is
another here than there.

``systemctl`` needs a systemd that runs, and here none does: of its commands only the verb is
looked up, and the units that would obey it.  Nor has ``journalctl`` a journal to ask: what it asks
for has to be in an entry as we send it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import trustme

from socketsuite.cli.command import socketsuite
from socketsuite.observe.events import Refused
from socketsuite.observe.journal import journal_form
from socketsuite.reasons import CLOSED, REFUSED
from socketsuite.testing import Daemon, read_all, read_line
from tests.daemons.conftest import Start
from tests.daemons.started import BIN, in_background, is_alive
from tests.support.admin import asked, figures, page, until
from tests.support.outside import SECONDS
from tests.support.peers import program

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text()
PROGRAMS = ("socketsuite", "twistd", "systemctl", "journalctl", "systemd-analyze", "kill", "curl")
SUBSTITUTED = {
    "localhost 9000": "localhost {port}",
    "/run/socketsuite/admin.sock": "{admin}",
}


def commands_in(text: str) -> list[str]:
    """Return every command that *text* shows, at a prompt or between backquotes."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    assert {language for language, _ in fenced} <= {"console"}, "what is not run is not shown"
    lines = [line for _, block in fenced for line in block.splitlines()]
    at_prompt = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))
    in_text = [span for span in spans if " " in span and span.split()[0] in PROGRAMS]
    return list(dict.fromkeys([*at_prompt, *in_text]))


@dataclass
class Night:
    """A chat on the air, two people in it, and an operator with a shell."""

    daemon: Daemon
    admin: Path
    people: list[socket.socket]

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def shell(self, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run *command* as the document shows it, but for what SUBSTITUTED says."""
        for there, here in SUBSTITUTED.items():
            command = command.replace(there, here)
        command = command.format(port=self.daemon.port(), admin=shlex.quote(str(self.admin)))
        return subprocess.run(
            ["sh", "-c", command],
            env={**self.environ, **variables},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def peer(self, number: int) -> str:
        return "{}:{}".format(*self.people[number].getsockname())


@pytest.fixture
def night(serve: Start, tmp_path: Path) -> Any:
    admin = tmp_path / "admin.sock"
    admin_options = ("--admin", str(admin), "--metrics-port", "0")
    daemon = serve("socketsuite-chat", "--send-queue", "64M", *admin_options)
    with daemon.connect() as first, daemon.connect() as second:
        until(lambda: asked(admin)["total"], lambda total: total == 2)
        yield Night(daemon, admin, [first, second])


def probe_tells_whether_the_port_is_open(night: Night, command: str) -> None:
    done = night.shell(command)
    assert (done.returncode, done.stdout) == (0, f"localhost:{night.daemon.port()} open\n")
    for person in night.people:
        person.close()
    assert night.daemon.stop() == 0
    done = night.shell(command)
    assert done.returncode == 1
    assert done.stdout.startswith(f"localhost:{night.daemon.port()} closed")


def ports_shows_our_own(night: Night, command: str) -> None:
    done = night.shell(command)
    assert done.returncode == 0
    rows = [line.split() for line in done.stdout.splitlines()]
    pid = str(night.daemon.process.pid)
    port = night.daemon.port()
    own = ["tcp", f"127.0.0.1:{port}", "-", "LISTEN", pid, "socketsuite-chat"]
    assert own in rows
    assert ["tcp", f"127.0.0.1:{port}", night.peer(0), "ESTABLISHED", *own[4:]] in rows


def status_shows_listeners_and_connections(night: Night, command: str) -> None:
    deaf, speaker = night.people
    line = b"x" * 8000 + b"\n"
    # Until more waits for the one who does not read than the kernel will take.
    while not any(one["queued"] for one in asked(night.admin)["connections"]):
        speaker.sendall(line * 100)
    done = night.shell(command)
    assert done.returncode == 0
    assert f"listener tcp 127.0.0.1:{night.daemon.port()}" in done.stdout
    *_, heading, largest, other = [one.split() for one in done.stdout.splitlines()]
    own = ["AGE", "IN", "OUT", "QUEUED", "IDLE", "NICK", "ROOMS"]
    assert heading == ["ID", "SERVICE", "FRONTEND", "TRANSPORT", "PEER", *own]
    first = dict(zip(heading, largest, strict=True))
    assert (first["PEER"], first["ROOMS"]) == (night.peer(0), "lobby")
    assert int(first["QUEUED"]) > 0
    assert [float(first["AGE"]) >= 0, int(first["OUT"]) > 0] == [True, True]
    second = dict(zip(heading, other, strict=True))
    assert [second["PEER"], second["QUEUED"]] == [night.peer(1), "0"]
    for_machines = json.loads(night.shell(f"{command} --json").stdout.splitlines()[0])
    assert for_machines["connections"][0]["peer"] == night.peer(0)
    deaf.close()


def the_settings_are_checked_and_nothing_is_opened(night: Night, command: str) -> None:
    taken = str(night.daemon.port())
    done = night.shell(command, SOCKETSUITE_CHAT_PORT=taken)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the configuration is valid" in done.stdout
    missing = night.shell(command, SOCKETSUITE_CHAT_TLS_CERT="/no/such/file")
    assert missing.returncode == 1
    assert missing.stderr.count("\n") == 1
    assert "/no/such/file" in missing.stderr
    wrong = night.shell(f"{command} --max-line many")
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1


def ports_shows_who_else_has_a_port(night: Night, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        start = "twistd -n socketsuite-chat"
        refused = night.shell(start, SOCKETSUITE_CHAT_PORT=str(taken))
        assert refused.returncode == 1
        assert "the address is in use" in refused.stderr
        done = night.shell(command)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["tcp", f"127.0.0.1:{taken}", "-", "LISTEN", str(os.getpid())] in [r[:5] for r in rows]


def systemctl_has_the_verb_and_the_units_obey_it(_night: Night, command: str) -> None:
    _, verb = command.split()
    systemctl = program("systemctl")
    told = subprocess.run([systemctl, "--help"], capture_output=True, text=True, check=True)
    assert re.search(rf"^  {verb} UNIT", told.stdout, re.M)
    units = list((ROOT / "etc").glob("*.service"))
    assert units
    for unit in units:
        (obeyed,) = re.findall(rf"^Exec{verb.capitalize()}=(.*)$", unit.read_text(), re.M)
        assert obeyed == "/bin/kill -HUP $MAINPID"


def journalctl_asks_for_what_an_entry_has(_night: Night, command: str) -> None:
    refused = Refused("socketsuite-chat", "tcp", "127.0.0.1:7", "deny")
    event = {"event": refused, "log_format": "{text}", "text": "refused"}
    entry = journal_form(None)(event).splitlines()
    asked_for = command.split()[1:]
    assert asked_for
    assert set(asked_for) <= set(entry)


def kill_ends_a_daemon_in_the_background(night: Night, command: str) -> None:
    folder = night.admin.parent
    with in_background(folder, "socketsuite-echo", "--unix", "door") as pid:
        assert night.shell(f"cd {shlex.quote(str(folder))} && {command}").returncode == 0
        until(lambda: is_alive(pid), lambda alive: not alive)
    assert "stopped aborted=0" in (folder / "twistd.log").read_text()


def admin_lists_the_commands_of_services(night: Night, command: str) -> None:
    done = night.shell(command, SOCKETSUITE_ADMIN=str(night.admin))
    assert (done.returncode, done.stderr) == (0, "")
    assert "kick" in done.stdout
    kicked = night.shell(f"{command} kick nobody lobby", SOCKETSUITE_ADMIN=str(night.admin))
    assert (kicked.returncode, kicked.stderr) == (1, "nobody: nobody has that nick\n")


def callers_but_the_proxies_are_refused(night: Night, command: str) -> None:
    _, _, name, *options = shlex.split(command)
    with Daemon(night.admin.parent, name, "--port", "0", *options) as daemon:
        with daemon.connect() as stranger, pytest.raises(ConnectionResetError):
            read_all(stranger)
        daemon.wait_for_line(r" refused .*reason=proxy_from frontend=lines$")


def a_header_names_the_client_on_a_unix_socket(night: Night, command: str) -> None:
    _, _, name, *options = shlex.split(command.replace("/run/chat.sock", "chat.sock"))
    served = Daemon(night.admin.parent, name, *options)
    with served as daemon, daemon.connect_unix("chat.sock") as proxy:
        proxy.sendall(b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 9000\r\n")
        daemon.wait_for_line(r" connected .*peer=192\.0\.2\.1:56324 ")


COMMANDS: dict[str, Callable[[Night, str], None]] = {
    "socketsuite probe localhost 9000": probe_tells_whether_the_port_is_open,
    "socketsuite ports": ports_shows_our_own,
    "socketsuite status --admin /run/socketsuite/admin.sock": (
        status_shows_listeners_and_connections
    ),
    "twistd socketsuite-chat --check-config": the_settings_are_checked_and_nothing_is_opened,
    "twistd -n socketsuite-chat --proxy-from 10.0.0.0/24": callers_but_the_proxies_are_refused,
    "twistd -n socketsuite-chat --unix /run/chat.sock --proxy-from unix": (
        a_header_names_the_client_on_a_unix_socket
    ),
    "socketsuite admin": admin_lists_the_commands_of_services,
    "socketsuite ports --all": ports_shows_who_else_has_a_port,
    "systemctl reload": systemctl_has_the_verb_and_the_units_obey_it,
    "kill $(cat twistd.pid)": kill_ends_a_daemon_in_the_background,
    "journalctl SOCKETSUITE_EVENT=refused REASON=deny": journalctl_asks_for_what_an_entry_has,
}


def test_there_is_an_entry_for_every_command_and_a_command_for_every_entry() -> None:
    assert commands_in(TEXT) == list(COMMANDS)


def test_a_command_is_seen_wherever_it_stands() -> None:
    text = "a `kill -HUP 1`\n```console\n$ socketsuite x\nout\n$ odd\n```\n`socketsuite_x`, `kill`"
    assert commands_in(text) == ["socketsuite x", "odd", "kill -HUP 1"]


@pytest.mark.parametrize("command", commands_in(TEXT))
def test_a_shown_command_does_what_the_text_claims(night: Night, command: str) -> None:
    COMMANDS[command](night, command)


STATUS = "socketsuite status --admin /run/socketsuite/admin.sock"


def test_the_operators_options_of_status_do_what_the_text_claims(night: Night) -> None:
    numbers = {one["peer"]: one["id"] for one in asked(night.admin)["connections"]}
    closed = night.shell(f"{STATUS} --close {numbers[night.peer(0)]}")
    assert closed.returncode == 0
    assert night.people[0].recv(1) == b""
    night.people[1].sendall(b"still here\n")
    pattern = f"closed .*peer={night.peer(0)} .*reason="
    assert night.daemon.wait_for_line(pattern).string.endswith(
        "reason=closed_by_operator frontend=lines"
    )


def test_status_keeps_showing_until_the_daemon_has_ended(night: Night) -> None:
    command = STATUS.replace("/run/socketsuite/admin.sock", str(night.admin)).split()
    watch = [*command, "--watch", "0.1", "--json"]
    with subprocess.Popen(watch, env=night.environ, stdout=-1, text=True) as watching:
        assert watching.stdout is not None
        uptimes = [json.loads(watching.stdout.readline())["process"]["uptime"] for _ in range(3)]
        assert uptimes[0] < uptimes[1] < uptimes[2]
        for person in night.people:
            person.close()
        assert night.daemon.stop() == 0
        assert watching.wait(SECONDS) == 0


def test_health_is_200_while_serving_and_503_from_the_drain_that_was_asked_for(
    serve: Start, tmp_path: Path
) -> None:
    admin = tmp_path / "admin.sock"
    daemon = serve("acme-rot13", "--admin", str(admin), "--metrics-port", "0")
    with daemon.connect() as caller:
        caller.sendall(b"a\n")
        assert read_line(caller) == b"n\n"
        status, text = page(daemon, "/health")
        assert (status, json.loads(text)["status"]) == (200, "ok")
        assert Night(daemon, admin, [caller]).shell(f"{STATUS} --drain").returncode == 0
        daemon.wait_for_line("acme-rot13 draining connections=1")
        status, text = page(daemon, "/health")
        assert (status, json.loads(text)["status"]) == (503, "draining")
    assert daemon.wait() == 0


CHECKED = """
class make(Plain):
    def health(self):
        return {"disk": True}
"""


def test_the_figures_that_the_text_names_are_on_the_page(stranger: Start, tmp_path: Path) -> None:
    names = set(re.findall(r"`(socketsuite_\w+)`", TEXT))
    assert names
    leaf = trustme.CA().issue_cert("localhost")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "cert.pem"))
    options = ("--tls-cert", str(tmp_path / "cert.pem"), "--metrics-port", "0")
    daemon = stranger(CHECKED, "--port", "0", "--deny", "127.0.0.1", *options).wait_until_ready()
    with daemon.connect(port=daemon.port("tls")) as refused:
        assert refused.recv(1) == b""
    shown = {name.partition("{")[0] for name in figures(daemon)}
    for name in names:
        assert {name, f"{name}_bucket"} & shown, name


def test_the_options_that_the_text_names_exist() -> None:
    settings = (ROOT / "docs" / "settings.md").read_text()
    known = set(re.findall(r"`(--[a-z-]+)", settings)) | {"--check-config"}
    for theirs in ("twistd", "twist"):
        help_text = subprocess.run([BIN / theirs, "--help"], capture_output=True, text=True)
        known.update(re.findall(r" (--[a-z][a-z-]+)", help_text.stdout))
    for name in ("status", "ports"):
        client = socketsuite.get_command(click.Context(socketsuite), name)
        assert client is not None
        known.update(word for one in client.params for word in one.opts)
    named = set(re.findall(r"--[a-z][a-z-]+", TEXT))
    assert named - known == set()


def test_the_reasons_that_the_text_explains_are_those_that_are_declared() -> None:
    section = TEXT.partition("## Why was it refused, or closed?")[2].partition("\n## ")[0]
    told = section[section.index("| reason |") :].strip().splitlines()
    declared = ["| reason | of | meaning |", "|---|---|---|"]
    for label, meaning in {**REFUSED, **CLOSED}.items():
        events = {"refused": label in REFUSED, "closed": label in CLOSED}
        of = ", ".join(event for event, possible in events.items() if possible)
        declared.append(f"| `{label}` | {of} | {meaning} |")
    assert sorted(told[2:]) == sorted(declared[2:])
    assert told[:2] == declared[:2]


def test_the_files_and_unit_settings_that_the_text_names_exist() -> None:
    units = {path.name: path.read_text() for path in (ROOT / "etc").glob("*.*")}
    for path in set(re.findall(r"`(etc/[^`]+)`", TEXT)):
        assert (ROOT / path).is_file(), path
    for key in set(re.findall(r"`([A-Z]\w+=)`", TEXT)):
        # In force, or in a comment that shows how.
        assert any(re.search(rf"^(#  +)?{key}", text, re.M) for text in units.values()), key
    assert "CAP_NET_BIND_SERVICE" in units["socketsuite-echo.service"]
    for name, text in units.items():
        if name.endswith(".service"):
            assert "\nType=notify\n" in text
