"""Opens, renames and deletes files beneath a folder, and follows no symbolic link there.

A path cannot leave the folder, whoever made it and whatever is swapped meanwhile: by openat2(2)
with RESOLVE_BENEATH, or where that is missing component by component with O_NOFOLLOW.  Only
regular files are opened.

This module must not know what the files hold.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from socketsuite.storage import system_calls

_RESOLVE = (
    system_calls.RESOLVE_BENEATH
    | system_calls.RESOLVE_NO_SYMLINKS
    | system_calls.RESOLVE_NO_MAGICLINKS
)
_FOLDER = os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_MOST_REMEMBERED = 10_000
_REASONS = {
    errno.ELOOP: "there is a symbolic link in its path",
    errno.EXDEV: "its path leaves the folder",
    errno.EISDIR: "it is a folder",
    errno.ENOTDIR: "a part of its path is not a folder",
    errno.ENXIO: "it is a pipe or a socket",
    errno.ENODEV: "it is a device",
}


class Folder:
    """A folder that is held open, and files beneath it.

    All paths are relative to it; ``.``, ``..`` and empty components are refused.  Everything
    raises ``OSError`` with a reason that can be shown.  May be used by several threads.

    :param path: the folder, which is there; symbolic links in this path are followed.
    :param kernel_resolves: whether openat2(2) is used; else it is where there is one.
    """

    def __init__(self, path: Path, *, kernel_resolves: bool | None = None) -> None:
        self.path = path
        if kernel_resolves is None:
            kernel_resolves = system_calls.has_openat2()
        self._kernel_resolves = kernel_resolves
        # Folders beneath, whose own names are known to be on disk.
        self._synced: set[str] = set()
        self._descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Let the folder go."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(
        self,
        relative: str,
        flags: int,
        mode: int = 0o640,
        *,
        make_folders: bool = False,
        devices: bool = False,
    ) -> int:
        """Open a regular file, and return its descriptor; it is closed in child processes.

        :param mode: of a file that is made by ``O_CREAT``, before the umask.
        :param make_folders: whether folders that are missing are made (0750) and synced.
        :param devices: whether a character device will do, too.
        """
        # O_NONBLOCK: a FIFO that nobody reads must not be waited for.
        flags |= os.O_CLOEXEC | os.O_NOCTTY | os.O_NOFOLLOW | os.O_NONBLOCK
        _components(relative)
        try:
            descriptor = self._open(relative, flags, mode)
        except FileNotFoundError:
            if not make_folders or "/" not in relative:
                raise
            self._make_folders(relative)
            descriptor = self._open(relative, flags, mode)
        try:
            found = os.fstat(descriptor).st_mode
            if not (devices and stat.S_ISCHR(found)):
                _check_regular(relative, found)
            os.set_blocking(descriptor, True)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def rename(self, old: str, new: str, *, replace: bool = False) -> None:
        """Rename a file; it is durable after :meth:`sync_folder_of` of both.

        :param replace: whether a file of the new name is replaced; else that is
            ``FileExistsError``.
        """
        with (
            self._parent(old) as (from_folder, before),
            self._parent(new) as (to_folder, after),
            _explained(old, new),
        ):
            if replace:
                os.rename(before, after, src_dir_fd=from_folder, dst_dir_fd=to_folder)
                return
            try:
                system_calls.rename_exclusive(from_folder, before, to_folder, after)
            except NotImplementedError:
                _rename_by_link(from_folder, before, to_folder, after)

    def link(self, old: str, new: str) -> None:
        """Give a file a second name; where there are no hard links, give it that instead."""
        with (
            self._parent(old) as (from_folder, before),
            self._parent(new) as (to_folder, after),
            _explained(old, new),
        ):
            ways = {"src_dir_fd": from_folder, "dst_dir_fd": to_folder}
            try:
                os.link(before, after, **ways, follow_symlinks=False)
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.EMLINK, errno.ENOTSUP):
                    raise
                os.rename(before, after, **ways)

    def unlink(self, relative: str) -> None:
        """Delete a file."""
        with self._parent(relative) as (folder, name), _explained(relative):
            os.unlink(name, dir_fd=folder)

    def stat(self, relative: str) -> os.stat_result:
        """Return what the system knows of a file; of a symbolic link, of the link itself."""
        with self._parent(relative) as (folder, name), _explained(relative):
            return os.stat(name, dir_fd=folder, follow_symlinks=False)

    def listdir(self, relative: str = "") -> list[str]:
        """Return the names in a folder beneath, or in this one, in no order."""
        descriptor = self._open_folder(relative, os.O_RDONLY)
        try:
            return os.listdir(descriptor)
        finally:
            os.close(descriptor)

    def sync_folder_of(self, relative: str) -> None:
        """Make durable that a file is in its folder, or no more, and that the folder is there."""
        parent = _components(relative)[0]
        self._sync_folder(parent)
        while parent:
            above = parent.rpartition("/")[0]
            if parent not in self._synced:
                self._sync_folder(above)
                self._remember_synced(parent)
            parent = above

    def _sync_folder(self, relative: str) -> None:
        descriptor = self._open_folder(relative, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _remember_synced(self, relative: str) -> None:
        if len(self._synced) >= _MOST_REMEMBERED:
            self._synced.clear()
        self._synced.add(relative)

    def _make_folders(self, relative: str) -> None:
        """Make the folders of a file that are missing, each on disk before the one beneath it."""
        made = ""
        for component in relative.split("/")[:-1]:
            above, made = made, f"{made}/{component}" if made else component
            descriptor = self._open_folder(above, os.O_RDONLY)
            try:
                # Whoever finds it from now on syncs it, until it is known to be synced.
                self._synced.discard(made)
                with contextlib.suppress(FileExistsError):
                    os.mkdir(component, 0o750, dir_fd=descriptor)
                    os.fsync(descriptor)
                    self._remember_synced(made)
            finally:
                os.close(descriptor)

    @contextlib.contextmanager
    def _parent(self, relative: str) -> Iterator[tuple[int, str]]:
        """Give the folder that holds a file, and the file's name in it."""
        parent, name = _components(relative)
        if not parent:
            yield self._descriptor, name
            return
        descriptor = self._open_folder(parent, os.O_PATH)
        try:
            yield descriptor, name
        finally:
            os.close(descriptor)

    def _open_folder(self, relative: str, flags: int) -> int:
        if not relative:
            return os.open(".", flags | _FOLDER, dir_fd=self._descriptor)
        _components(relative)
        return self._open(relative, flags | _FOLDER, 0)

    def _open(self, relative: str, flags: int, mode: int) -> int:
        with _explained(relative):
            if self._kernel_resolves:
                # Without O_NOFOLLOW a link at the end is told as what it is, like any other.
                flags &= ~os.O_NOFOLLOW
                return system_calls.openat2(self._descriptor, relative, flags, mode, _RESOLVE)
            return self._open_by_components(relative, flags, mode)

    def _open_by_components(self, relative: str, flags: int, mode: int) -> int:
        *folders, name = relative.split("/")
        holder = os.open(".", os.O_PATH | _FOLDER, dir_fd=self._descriptor)
        try:
            for folder in folders:
                above, holder = holder, _descend(holder, folder)
                os.close(above)
            if flags & os.O_DIRECTORY:
                return _descend(holder, name, flags)
            return os.open(name, flags, mode, dir_fd=holder)
        finally:
            os.close(holder)


def _descend(holder: int, name: str, flags: int = os.O_PATH | _FOLDER) -> int:
    try:
        return os.open(name, flags, dir_fd=holder)
    except NotADirectoryError:
        if stat.S_ISLNK(os.stat(name, dir_fd=holder, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from None
        raise


def _components(relative: str) -> tuple[str, str]:
    """Return the folder and the name of a relative path.

    :raises OSError: when it is none, or leads out.
    """
    if "\0" in relative:
        raise OSError(errno.EINVAL, "there is a NUL character in its path", relative)
    if not {"", ".", ".."}.isdisjoint(relative.split("/")):
        raise OSError(errno.EXDEV, _REASONS[errno.EXDEV], relative)
    folder, _, name = relative.rpartition("/")
    return folder, name


@contextlib.contextmanager
def _explained(relative: str, new: str | None = None) -> Iterator[None]:
    """Give an error the path and a reason that can be shown."""
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        if new is not None and number == errno.EEXIST:
            relative = new
        raise OSError(number, _REASONS.get(number, error.strerror), relative) from None


def _check_regular(relative: str, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        number = errno.EISDIR
    elif stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        number = errno.ENODEV
    else:
        number = errno.ENXIO
    raise OSError(number, _REASONS[number], relative)


def _rename_by_link(old_folder: int, old: str, new_folder: int, new: str) -> None:
    """Rename a file, unless there is one of the new name, without renameat2(2)."""
    try:
        os.link(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # no hard links here
        with contextlib.suppress(FileNotFoundError):
            os.stat(new, dir_fd=new_folder, follow_symlinks=False)
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new) from None
        os.rename(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder)
        return
    os.unlink(old, dir_fd=old_folder)
