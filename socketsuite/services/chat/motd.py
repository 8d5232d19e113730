"""The message of the day: a file of lines that greet who comes in.

This module must not know who is greeted.
"""

from __future__ import annotations

from pathlib import Path

from socketsuite.settings import SettingsError
from socketsuite.settings.files import UnreadableError, read_regular
from socketsuite.settings.values import plain
from socketsuite.wire.printable import without_controls

LARGEST = 1 << 16


def check_motd(path: Path | None) -> None:
    """See that the file could be read.

    :raises SettingsError: when it could not.
    """
    if path is not None:
        try:
            read_regular(path, LARGEST)
        except UnreadableError as error:
            raise SettingsError(f"cannot use {plain(str(path))}: {error}") from None


def motd_lines(path: Path | None) -> list[str]:
    """Return the lines; none where the file says nothing, or cannot be read now."""
    if path is None:
        return []
    try:
        data, _ = read_regular(path, LARGEST)
    except UnreadableError:
        return []
    return [without_controls(line) for line in data.decode("utf-8", "replace").splitlines()]
