"""A line more for the file of accounts: on disk when it is told, and never half a line.

All of it blocks, and belongs into a thread.  This module must not know who asks.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from socketsuite.services.chat.accounts import LARGEST, MOST_LINES, read_accounts
from socketsuite.services.chat.nicks import key_of
from socketsuite.settings import SettingsError
from socketsuite.wire.account_line import AccountLine

_ATTEMPTS = 5


class AccountFileError(Exception):
    """The line cannot be written; its text says why, for who runs the daemon."""


def add_account(path: Path, account: AccountLine) -> bool:
    """Write *account* behind all that the file holds, with its mode and its owner.

    Another file takes its place, so that whoever reads sees the one or the other.

    :return: whether it was written; ``False`` where the file has an account of that name.
    :raises AccountFileError: when it cannot be.
    """
    real = Path(os.path.realpath(path))
    try:
        for _ in range(_ATTEMPTS):
            before = os.stat(real)
            if key_of(account.name) in read_accounts(real):
                return False
            if _replaced(real, before, account):
                return True
    except (OSError, SettingsError) as error:
        raise AccountFileError(_cause(error)) from None
    raise AccountFileError("somebody else writes it all the time")


def _replaced(path: Path, before: os.stat_result, account: AccountLine) -> bool:
    """Whether the file was the one of *before* until another took its place."""
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        data += b"\n"
    data += f"{account}\n".encode()
    if len(data) > LARGEST or data.count(b"\n") > MOST_LINES:
        raise AccountFileError(f"it is full: {MOST_LINES:,} lines or {LARGEST >> 20} MiB")
    made = path.with_name(f".{path.name}.new-{os.getpid()}")
    made.unlink(missing_ok=True)  # of a process that had our number, and ended while it did this
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with open(os.open(made, flags, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
            os.fsync(file.fileno())
        if _identity(os.stat(path)) != _identity(before):
            return False
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode


def _cause(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error)
