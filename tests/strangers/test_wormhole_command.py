"""The ``wormhole`` command: a file by a mailbox server and a relay under the daemon."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from socketsuite.testing import Daemon
from tests.strangers import wormhole
from tests.strangers.subject import TRANSPORTS
from tests.support.stranger import package

MINUTE = 60.0
CODE = "1-guitarist-revenge"


@pytest.mark.sampled(2)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_file_goes_through_the_wormhole(folder: Path, transport: str) -> None:
    pytest.importorskip("wormhole")
    pytest.importorskip("wormhole_mailbox_server")
    pytest.importorskip("wormhole_transit_relay")
    env: dict[str, str] = {}
    tables = ""
    for one in (wormhole.MAILBOX, wormhole.RELAY):
        env = package(folder, one.source, f"acme-{one.name}")
        tables += f'[{one.name}]\nservice = "acme-{one.name}"\nport = 0\ninterface = "127.0.0.1"\n'
        tables += f'transport = "{transport}"\n'
    (folder / "suite.toml").write_text(tables)
    daemon = Daemon(folder, "socketsuite", "--config", "suite.toml", env=env)
    try:
        daemon.wait_until_ready()
        through(daemon, folder)
        assert daemon.stop() == 0
    finally:
        daemon.kill()
    assert "Traceback" not in daemon.log


def through(daemon: Daemon, folder: Path) -> None:
    """Have one ``wormhole`` send a file, by the relay alone, and another receive it."""
    mailbox, relay = (
        int(daemon.wait_for_line(rf" {name} listening transport=tcp \S+ port=(\d+)")[1])
        for name in ("mailbox", "relay")
    )
    command = Path(sys.executable).with_name("wormhole")
    where = (f"--relay-url=ws://127.0.0.1:{mailbox}/v1", f"--transit-helper=tcp:127.0.0.1:{relay}")
    words = ("--no-listen", "--hide-progress")
    sent = folder / "content" / "large.bin"
    pipe = subprocess.PIPE
    sending: list[str | Path] = [command, *where, "send", *words, "--code", CODE, sent]
    with subprocess.Popen(sending, stdout=pipe, stderr=pipe) as sender:
        try:
            receiving: list[str | Path] = [
                command,
                *where,
                "receive",
                *words,
                "--accept-file",
                "-o",
                "got",
                CODE,
            ]
            done = subprocess.run(receiving, cwd=folder, capture_output=True, timeout=MINUTE)
            assert done.returncode == 0, done.stderr
            _, errors = sender.communicate(timeout=MINUTE)
            assert sender.returncode == 0, errors
        finally:
            sender.kill()
    assert (folder / "got").read_bytes() == sent.read_bytes()
    closed = r" relay closed transport=tcp \S+ bytes_in=(\d+) bytes_out=(\d+)"
    daemon.wait_for_line(closed)
    start = next(n for n, line in enumerate(daemon.lines) if re.search(closed, line)) + 1
    daemon.wait_for_line(closed, start)
    carried = [int(m[1]) for line in daemon.lines if (m := re.search(closed, line))]
    assert max(carried) >= sent.stat().st_size
