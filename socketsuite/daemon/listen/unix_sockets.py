"""Unix sockets on paths: a live server's is refused, a dead one's replaced, modes from the start.

Makes plain kernel sockets; knows nothing of Twisted, factories or settings.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from socketsuite.addresses import path_text
from socketsuite.daemon.errors import StartError, cause_text

_LONGEST_PATH = 107  # of bytes in a sockaddr_un, without the zero at its end


def try_path(path: Path) -> None:
    """See that a Unix socket could be made on *path*, whoever has one there now.

    :raises StartError: as :func:`bind_path`.
    """
    try:
        if len(os.fsencode(path)) > _LONGEST_PATH:
            raise _too_long(path)
        os.close(os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise _no_socket(path)
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise _no_folder(path, "no such file or directory") from None
    except OSError as error:
        raise _no_folder(path, cause_text(error)) from None


def bind_path(path: Path, mode: int, backlog: int) -> socket.socket:
    """Return a socket that listens on *path*, whose file has *mode* from its first moment.

    :raises StartError: naming the path, the cause and the cure.
    """
    try:
        with _locked_folder(path.parent):
            _clear_stale(path)
            return _bind(path, mode, backlog)
    except OSError as error:
        if "too long" in str(error):
            raise _too_long(path) from None
        raise _no_folder(path, cause_text(error)) from None


def _too_long(path: Path) -> StartError:
    return StartError(
        f"cannot listen on unix socket {path_text(path)}: the path is longer than"
        f" {_LONGEST_PATH} bytes"
    )


def _no_folder(path: Path, cause: str) -> StartError:
    return StartError(
        f"cannot listen on unix socket {path_text(path)}: {cause};"
        " its folder must exist and be writable"
    )


def _no_socket(path: Path) -> StartError:
    return StartError(
        f"cannot listen on unix socket {path_text(path)}: a file that is not a socket is there;"
        " say another --unix path, or remove it"
    )


def _bind(path: Path, mode: int, backlog: int) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The file must not be open to others for even a moment, so the mask, not a chmod after.
    mask = os.umask(0o777 & ~mode)
    try:
        made.bind(os.fspath(path))
    except BaseException:
        made.close()
        raise
    finally:
        os.umask(mask)
    made.listen(backlog)
    made.setblocking(False)
    return made


@contextmanager
def _locked_folder(folder: Path) -> Iterator[None]:
    """Hold other daemons off while a stale socket file there is looked at and replaced."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _clear_stale(path: Path) -> None:
    """Remove the socket file of a dead server; refuse to touch a live one's or a real file."""
    shown = path_text(path)
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise _no_socket(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.setblocking(False)
        try:
            caller.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except FileNotFoundError:
            return
        except OSError:
            pass  # EAGAIN: its backlog is full; whatever it is, somebody lives there
    raise StartError(
        f"cannot listen on unix socket {shown}: another server is using it;"
        " say another --unix path, or stop that server"
    )


def inode_of(path: Path) -> tuple[int, int]:
    """Return what tells the file at *path* from any other that has had that name."""
    status = path.lstat()
    return status.st_dev, status.st_ino
