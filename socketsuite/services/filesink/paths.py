"""Whether the file that a sink is told can be appended to, and what cures it where not.

This module must not know what is written.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from socketsuite.settings import SettingsError
from socketsuite.storage.names import Template

_CURES = {
    errno.ENOENT: "its folder does not exist: create it",
    errno.ENOTDIR: "a part of its path is not a folder",
    errno.EISDIR: "it is a folder: name a file",
    errno.ENXIO: "it is a pipe or a socket: name a file",
    errno.EACCES: "permission denied: let this user write it, or name another file",
    errno.EROFS: "the file system is read-only: name a file elsewhere",
}


def _refusal(path: Path | str, number: int, why: str | None = "") -> SettingsError:
    return SettingsError(f"cannot append to {path}: {_CURES.get(number, why)}")


def resolved(template: Template) -> tuple[Path, str]:
    """Return the folder that files lie beneath, and the name of the only file, if there is one.

    Links in what the operator wrote are followed, once.
    """
    if template.fields:
        return template.base, ""
    path = Path(os.path.realpath(template.base / template.expand()))
    return path.parent, path.name


def check(template: Template, *, create: bool) -> bool:
    """See that files can be appended to; return whether the only one is a device.

    :param create: whether a file that is not there is made (0640).
    :raises SettingsError: with the path and the cure, when they cannot.
    """
    folder, name = resolved(template)
    if not name:
        _check_folder(folder, template.text)
        return False
    path = folder / name
    flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
    try:
        # O_NONBLOCK: opening a FIFO that nobody reads must fail, not hang.
        descriptor = os.open(path, flags | os.O_CREAT if create else flags, 0o640)
    except OSError as error:
        if not create and error.errno == errno.ENOENT:
            _check_folder(folder, template.text)
            return False
        raise _refusal(template.text, error.errno or 0, error.strerror) from None
    mode = os.fstat(descriptor).st_mode
    os.close(descriptor)
    if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode)):
        raise _refusal(template.text, errno.ENXIO)
    return stat.S_ISCHR(mode)


def _check_folder(folder: Path, text: str) -> None:
    if not folder.is_dir():
        raise _refusal(text, errno.ENOENT)
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
        raise _refusal(text, errno.EROFS if read_only else errno.EACCES)
