"""openat2(2) and renameat2(2), which Python does not have.

This module must not know what is opened or renamed, nor what is done where they are missing.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
from typing import Any

RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08

_OPENAT2 = 437  # the same on every architecture but Alpha
_RENAME_NOREPLACE = 1
# EAGAIN: something was renamed meanwhile, and the kernel cannot say that the path is beneath.
_ATTEMPTS = 100


class _OpenHow(ctypes.Structure):
    """struct open_how of linux/openat2.h."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


@functools.cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def openat2(folder: int, path: str, flags: int, mode: int, resolve: int) -> int:
    """Return a new descriptor, as openat2(2) does.

    :param mode: used with ``O_CREAT`` only.
    :raises OSError: with the errno of the call.
    """
    how = _OpenHow(flags, mode if flags & os.O_CREAT else 0, resolve)
    name = ctypes.c_char_p(os.fsencode(path))
    size = ctypes.c_size_t(ctypes.sizeof(how))
    error = 0
    for _ in range(_ATTEMPTS):
        number = ctypes.c_long(_OPENAT2)
        found = _libc().syscall(number, ctypes.c_int(folder), name, ctypes.byref(how), size)
        if found >= 0:
            return int(found)
        error = ctypes.get_errno()
        if error not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(error, os.strerror(error), path)


@functools.cache
def has_openat2() -> bool:
    """Return whether the kernel has openat2(2), and no filter of system calls forbids it."""
    try:
        resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
        folder = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.close(openat2(folder, ".", os.O_PATH | os.O_CLOEXEC, 0, resolve))
        finally:
            os.close(folder)
    except OSError:
        return False
    return True


def rename_exclusive(old_folder: int, old: str, new_folder: int, new: str) -> None:
    """Rename a file, unless there is one of the new name.

    :raises FileExistsError: when there is.
    :raises NotImplementedError: where the system or the file system cannot do it.
    :raises OSError: with the errno of the call.
    """
    call = getattr(_libc(), "renameat2", None)
    if call is None:
        raise NotImplementedError("renameat2")
    before, after = os.fsencode(old), os.fsencode(new)
    if call(old_folder, before, new_folder, after, ctypes.c_uint(_RENAME_NOREPLACE)) < 0:
        error = ctypes.get_errno()
        # EPERM: a filter of system calls; where it is a matter of rights, the other way tells.
        if error in (errno.ENOSYS, errno.EINVAL, errno.EPERM):
            raise NotImplementedError("renameat2")
        raise OSError(error, os.strerror(error), old, None, new)
