"""``socketsuite send --ack`` and ``verify`` with the file sink, which is killed and rotated."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.daemons.conftest import Start
from tests.support.outside import SECONDS

COMMAND = [sys.executable, "-m", "socketsuite.cli"]
BYTES = random.Random(6).randbytes(3_000_000)


def until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # between two looks; nothing else tells what a file holds


def until_longer(file: Path, before: int) -> None:
    until(lambda: file.exists() and file.stat().st_size > before)


def client(*words: object, **more: Any) -> subprocess.CompletedProcess[bytes]:
    run = [*COMMAND, *map(str, words)]
    return subprocess.run(run, capture_output=True, timeout=SECONDS, check=False, **more)


def test_a_sink_that_is_killed_again_and_again_loses_and_doubles_nothing(
    launch: Start, tmp_path: Path
) -> None:
    words = ("--file", str(tmp_path / "sink"), "--ack-takeover", "0")
    sink = launch("socketsuite-filesink", "--port", "0", "--ack-port", "0", *words)
    port = sink.wait_until_ready().port(frontend="ack")
    receipts = tmp_path / "receipts"
    command = ["send", "--ack", "--json", "--stream", "s", "--receipts", receipts]
    sender = subprocess.Popen(
        [*COMMAND, *map(str, command), f"127.0.0.1:{port}", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert sender.stdin is not None
    for third in range(3):
        before = receipts.stat().st_size if receipts.exists() else 0
        sender.stdin.write(BYTES[third * 1_000_000 : (third + 1) * 1_000_000])
        sender.stdin.flush()
        until_longer(receipts, before)
        if third < 2:
            sink.process.kill()
            sink.wait()
            sink = launch("socketsuite-filesink", "--port", "0", "--ack-port", str(port), *words)
            sink.wait_until_ready()
    shown, _ = sender.communicate(timeout=SECONDS)
    result = json.loads(shown.splitlines()[-1])
    assert (sender.returncode, result["ok"], result["acked"]) == (0, True, len(BYTES)), result
    assert result["resumed"] >= 1
    assert (tmp_path / "sink").read_bytes() == BYTES
    assert client("verify", tmp_path / "sink", receipts).returncode == 0


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_receipts_prove_a_file_after_it_was_rotated_and_compressed(
    serve: Start, tmp_path: Path, compression: str
) -> None:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    (tmp_path / "key").chmod(0o600)
    public = tmp_path / "key.pub"
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    sink = serve(
        *("socketsuite-filesink", "--ack-port", "0", "--file", str(tmp_path / "sink")),
        *("--rotate-size", "500k", "--compress", compression, "--sign-key", str(tmp_path / "key")),
    )
    port = sink.port(frontend="ack")
    receipts = tmp_path / "receipts"
    for name, data in (("a", BYTES[:1_300_000]), ("b", BYTES[1_000_000:])):
        (tmp_path / name).write_bytes(data)
    files = (tmp_path / "a", tmp_path / "b")
    done = client("send", "--ack", "--receipts", receipts, f"127.0.0.1:{port}", *files)
    assert done.returncode == 0, done.stderr
    if compression != "none":
        until(lambda: len(list(tmp_path.glob("sink~*.zst"))) >= 6)
    sink.stop()
    words = ("--key", public, tmp_path / "sink", receipts)
    done = client("verify", *words)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == [
        b"a: 1,300,000 bytes are as acknowledged",
        b"b: 2,000,000 bytes are as acknowledged",
    ]
    if compression == "none":
        segment = tmp_path / "sink~000002"
        changed = bytearray(segment.read_bytes())
        changed[1234] ^= 1
        segment.write_bytes(changed)
        done = client("verify", *words)
        assert done.returncode == 1
        assert b"of the stream differs: %s byte 1,234" % bytes(segment) in done.stdout
