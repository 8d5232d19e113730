"""What every stranger's service is given: a certificate, a folder, and something large to send."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import trustme

LARGE = 12 << 20
"""Bytes: more than the kernel and the transport hold for a reader who pauses."""


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file called large.bin, of :data:`LARGE` bytes."""
    folder = tmp_path_factory.mktemp("content")
    (folder / "large.bin").write_bytes(random.Random(1).randbytes(LARGE))
    (folder / "small.txt").write_bytes(b"a small file\n")
    return folder


@pytest.fixture
def folder(tmp_path: Path, authority: trustme.CA, content: Path) -> Path:
    """The folder of one daemon: cert.pem, ca.pem, roots/ and content/."""
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "cert.pem"))
    (tmp_path / "roots").mkdir()
    for name in ("ca.pem", "roots/ca.pem"):
        authority.cert_pem.write_to_path(str(tmp_path / name))
    (tmp_path / "content").symlink_to(content)
    return tmp_path
