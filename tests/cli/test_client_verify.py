"""``socketsuite verify`` as a process."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from socketsuite.wire.acks import encode_base64
from tests.cli.conftest import Client, Start
from tests.cli.contract import read
from tests.cli.servers import TIMEOUT
from tests.support.ack_sink import AckSink, Behaviour

BYTES = random.Random(4).randbytes(500_000)
KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key()


@pytest.fixture
def sent(client: Client, tmp_path: Path) -> Path:
    """A folder with what was sent, ``a`` and ``b``, and its receipts."""
    (tmp_path / "a").write_bytes(BYTES)
    (tmp_path / "b").write_bytes(BYTES[:10])
    sink = AckSink(Behaviour(key=KEY))
    words = ("--receipts", tmp_path / "receipts", f"localhost:{sink.port}")
    done = client("send", "--ack", *words, tmp_path / "a", tmp_path / "b")
    sink.close()
    assert done.returncode == 0, done.stderr
    return tmp_path


def test_what_was_sent_is_verified_and_a_changed_byte_is_named(client: Client, sent: Path) -> None:
    pem = sent / "key.pem"
    pem.write_bytes(PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    done = client("verify", "--key", pem, sent, sent / "receipts")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == [
        b"a: 500,000 bytes are as acknowledged",
        b"b: 10 bytes are as acknowledged",
    ]
    assert b"receipts are signed by that key" in done.stderr

    with (sent / "a").open("r+b") as file:
        file.seek(123_456)
        file.write(bytes([BYTES[123_456] ^ 4]))
    done = client("verify", "--json", "--stream", "a", sent / "a", sent / "receipts")
    (row,), result = read(done.stdout)
    assert (done.returncode, result["error"]["code"], result["status"]) == (1, "different", 1)
    assert row["difference"] == {
        "from": 123_456,
        "to": 123_457,
        "evidence": "leaves",
        "file": str(sent / "a"),
        "at": 123_456,
    }
    assert (row["event"], row["ok"], row["bytes"]) == ("verified", False, 500_000)

    original = sent / "original"
    original.write_bytes(BYTES)
    words = ("--source", original, "--stream", "a", sent / "a", sent / "receipts")
    done = client("verify", *words)
    place = f"a: byte 123,456 of the stream differs: {sent / 'a'} byte 123,456 (by the original)"
    assert place.encode() in done.stdout.splitlines()
    assert b"a key that they bring along; --key pins the server's" in done.stderr


def test_a_key_that_did_not_sign_is_told(client: Client, sent: Path) -> None:
    other = encode_base64(Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    done = client("verify", "--key", other, sent, sent / "receipts")
    assert done.returncode == 1
    assert b"another key than that of --key" in done.stderr
    assert b"lines of the receipts are not as they should be" in done.stderr


@pytest.mark.parametrize(
    ("words", "status", "complaint"),
    [
        (("{a}", "{receipts}"), 2, "RECEIPTS has 2 streams, 0 of them known"),
        (("--source", "{a}", "{folder}", "{receipts}"), 2, "--source wants one stream"),
        (("--key", "nokey", "{folder}", "{receipts}"), 2, "--key is no key in base64, nor a file"),
        (("--key", "{a}", "{folder}", "{receipts}"), 2, "holds no Ed25519 public key"),
        (("--stream", "c", "{a}", "{receipts}"), 1, "there is no receipt of stream c"),
        (("--stream", "a", "{a}", "{b}"), 1, "there is no receipt of stream a"),
        (("{a}", "{b}"), 1, "there are no receipts"),
        (("--stream", "a", "/nowhere/x", "{receipts}"), 1, "the file does not hold what was"),
    ],
)
def test_what_cannot_be_checked_is_told(
    client: Client, sent: Path, words: tuple[str, ...], status: int, complaint: str
) -> None:
    names = {"a": sent / "a", "b": sent / "b", "receipts": sent / "receipts", "folder": sent}
    done = client("verify", *(word.format(**names) for word in words))
    assert done.returncode == status, done.stderr
    assert complaint in done.stderr.decode()


def test_a_terminal_shows_progress(start: Start, sent: Path) -> None:
    ours, theirs = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = start("verify", sent, sent / "receipts", stderr=theirs, env=environment)
    assert process.wait(TIMEOUT) == 0
    shown = os.read(ours, 1 << 16)
    os.close(ours)
    os.close(theirs)
    assert b"500.0/500.0 kB" in shown
