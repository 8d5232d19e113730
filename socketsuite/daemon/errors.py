"""The one exception of this room: a start that a user's mistake made impossible."""

from __future__ import annotations

import errno
import os


class StartError(Exception):
    """Why the daemon cannot start; its text is the one line to show, with the cure."""


_WORDS = {
    errno.EADDRINUSE: "the address is in use",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EAFNOSUPPORT: "this machine does not speak that address family",
    errno.ENOENT: "no such file or directory",
    errno.EMFILE: "too many open files",
}


def cause_text(error: OSError) -> str:
    """Return the cause of *error* in plain words, without its number or a traceback."""
    if error.errno in _WORDS:
        return _WORDS[error.errno]
    text = error.strerror or (os.strerror(error.errno) if error.errno else str(error))
    return text[:1].lower() + text[1:]
