"""docs/protocol-ack.md: its vectors, tables and programs are true."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from socketsuite.cli.sending.run import FINAL
from socketsuite.testing import Daemon
from socketsuite.wire.acks import decode_id, encode_base64, encode_id, signed_text
from socketsuite.wire.merkle import TreeHash
from socketsuite.wire.receipts import Leaf, Receipt, read_lines
from tests.support.peers import program

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "protocol-ack.md"
TEXT = PAGE.read_text()
SCRIPT = ROOT / "examples" / "ack-shell" / "send.sh"
SIZES = [0, 1, 65535, 65536, 65537, 131072, 131073, 196608, 262145, 1_000_000]


def table(heading: str) -> list[list[str]]:
    """Return the rows of the table with that heading, without backquotes."""
    rows = TEXT.partition(f"| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in rows]


def test_the_hashes_are_as_shown() -> None:
    data = bytes(number % 251 for number in range(SIZES[-1]))
    made = []
    for size in SIZES:
        tree = TreeHash()
        tree.feed(data[:size])
        made.append([f"{size:,}", tree.root().hex()])
    assert table("bytes | hash") == made, "\n".join(f"| {a} | `{b}` |" for a, b in made)


def test_the_signature_is_as_shown() -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    tree = TreeHash()
    tree.feed(b"hello\n")
    stream, time = "holiday 2026/ñu.jpg", 1_795_249_326_123
    text = signed_text(stream, 6, tree.root(), time)
    assert f"```text\n{text.decode()}```" in TEXT, text.decode()
    made = [
        ["public key", encode_base64(key.public_key().public_bytes_raw())],
        ["signature", encode_base64(key.sign(text))],
    ]
    rows = table("of these lines | base64")
    assert rows == made, "\n".join(f"| {a} | `{b}` |" for a, b in made)


def test_the_line_of_a_leaf_is_as_shown() -> None:
    made = Leaf.of("notes/today", 0, b"hello\n").encode().decode()
    assert f"```text\n{made}```" in TEXT, made


def test_the_ids_are_as_shown() -> None:
    rows = table("id | on the wire")
    assert len(rows) == 3
    for stream, wire in rows:
        assert encode_id(stream) == wire
        assert decode_id(wire) == stream


def test_the_client_tries_again_after_those_errors_that_may_pass() -> None:
    rows = {code: may == "yes" for code, _, may in table("code | why | may pass")}
    assert {code for code, may in rows.items() if not may} == FINAL
    assert list(rows) == sorted(rows)


def test_the_script_is_as_shown() -> None:
    assert f"```sh\n{SCRIPT.read_text()}```" in TEXT


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Daemon]:
    program("nc.openbsd")
    words = ("--port", "0", "--ack-port", "0", "--file", f"{tmp_path}/sink/{{stream}}")
    (tmp_path / "sink").mkdir()
    with Daemon(tmp_path, "socketsuite-filesink", *words) as daemon:
        yield daemon


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["sh", "-c", command], cwd=folder, capture_output=True, timeout=60, check=False
    )


def test_what_is_done_by_hand_is_answered_as_shown(sink: Daemon, tmp_path: Path) -> None:
    command, *shown = TEXT.partition("## By hand")[2].split("```")[1].splitlines()[1:]
    here = command.removeprefix("$ ").replace("40002", str(sink.port(frontend="ack")))
    for offset in ("0", "6"):
        said = shell(here, tmp_path).stdout.decode().splitlines()
        wanted = [shown[0], *shown[2:]] if offset == "6" else shown
        said = said if offset == "0" else [said[0], *said[2:]]
        without_time = [re.sub(r" 1\d{12}$", "", line) for line in said]
        assert without_time == [re.sub(r" 1\d{12}$", "", line) for line in wanted]
    assert (tmp_path / "sink/notes/today").read_bytes() == b"hello\n"


def test_the_script_goes_on_where_the_sink_is_and_its_receipts_prove_the_file(
    sink: Daemon, tmp_path: Path
) -> None:
    data = bytes(range(256)) * 10_000
    (tmp_path / "notes.txt").write_bytes(data)
    (tmp_path / "part").write_bytes(data[:1_500_000])
    port = sink.port(frontend="ack")
    for name in ("part", "notes.txt", "notes.txt"):
        words = f"{name} notes localhost {port} notes.receipts"
        assert shell(f"{SCRIPT} {words}", tmp_path).returncode == 0
    assert (tmp_path / "sink/notes").read_bytes() == data
    with (tmp_path / "notes.receipts").open("rb") as file:
        lines = [line for _, line in read_lines(file)]
    assert [line.offset for line in lines if isinstance(line, Receipt)][-1] == len(data)
    command = f"{Path(sys.executable).parent}/socketsuite verify --stream notes sink notes.receipts"
    done = shell(command, tmp_path)
    assert (done.returncode, done.stdout) == (0, b"notes: 2,560,000 bytes are as acknowledged\n")
    sink.kill()
    assert shell(f"timeout 0.5 {SCRIPT} {words}", tmp_path).returncode != 0


def test_a_hash_in_a_shell_is_that_of_the_page() -> None:
    assert shutil.which("sha256sum")
    (command,) = re.findall(r"^\$ (.*sha256sum)$", TEXT, re.M)
    digest = shell(command, ROOT).stdout.split()[0].decode()
    assert digest in TEXT.partition("## By hand")[2].partition("## ")[0]
