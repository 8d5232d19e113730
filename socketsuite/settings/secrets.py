"""Secrets that stand in files: the setting that names the file, and what is read from it.

Nothing that it says of a file shows what the file holds.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from socketsuite.settings.declaration import DeclarationError, Setting, SettingsError
from socketsuite.settings.files import UnreadableError, read_regular
from socketsuite.settings.kinds import Kind
from socketsuite.settings.values import plain

LARGEST = 64 << 10


class SecretFileError(SettingsError):
    """A secret's file that cannot be used: its owner is to see to it, not who wrote settings."""


@dataclass(frozen=True)
class SecretFile:
    """What a secret's file holds.

    :ivar raw: text, or a list of texts, as :meth:`Setting.read` takes it.
    :ivar notice: a line for the operator, where everybody can read the file; else empty.
    """

    raw: Any
    notice: str


def with_files(settings: Iterable[Setting]) -> tuple[Setting, ...]:
    """Return *settings* with another one behind each secret, which names a file to read it from.

    :raises DeclarationError: where a setting has such a name already.
    """
    declared = tuple(settings)
    names = {item.name for item in declared}
    found = []
    for item in declared:
        found.append(item)
        if not item.secret:
            continue
        beside = Setting(
            name=f"{item.name}_file",
            kind=Kind((Path,)),
            help=f"read {item.key} from this file",
            default=None,
            metavar="FILE",
            reload=item.reload,
            table=item.table,
            file_of=item.name,
        )
        if beside.name in names:
            raise DeclarationError(
                f"the setting {beside.name!r} has the name of the one that says which file holds"
                f" the secret {item.name!r}; call it otherwise"
            )
        found.append(beside)
    return tuple(found)


def read_secret(path: Path, origin: str, *, multiple: bool) -> SecretFile:
    """Return what the file *path* holds: UTF-8 of at most 64 KiB, without its last newline.

    :param origin: where the path was said.
    :param multiple: whether it holds several values, one a line.
    :raises SecretFileError: naming path, origin and cause.
    """
    name = plain(str(path))
    try:
        data, mode = read_regular(path, LARGEST)
        text = _text(data)
    except UnreadableError as error:
        raise SecretFileError(f"cannot read {name} ({origin}): {error}") from None
    notice = ""
    if mode & stat.S_IROTH:
        notice = f"every user of this machine can read {name} ({origin}), a secret; chmod o-r it"
    lines = (line.removesuffix("\r") for line in text.split("\n"))
    return SecretFile([one for one in lines if one] if multiple else text, notice)


def _text(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise UnreadableError("it is not UTF-8") from None
    if "\0" in text:
        raise UnreadableError("it has a zero byte")
    text = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
    if not text:
        # Perhaps one who is writing it: an empty secret would let everybody in.
        raise UnreadableError("it is empty")
    return text
