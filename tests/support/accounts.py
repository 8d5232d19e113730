"""Accounts of a chat, as an operator makes them: by the client command, into a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def account(name: str, password: str) -> str:
    """Return the line that the client command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "socketsuite.cli", "password", name],
        input=password.encode(),
        capture_output=True,
        timeout=20,
        check=True,
    )
    return done.stdout.decode()


def accounts_file(folder: Path, *lines: str) -> Path:
    """Write a file of accounts that is its owner's alone, and return it."""
    path = folder / "accounts"
    path.touch(0o600)
    path.write_text("".join(lines))
    return path
