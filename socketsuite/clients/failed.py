"""How a command says that it could not do its work.

This module must not know of click, Twisted or any one command.
"""

from __future__ import annotations

import errno
import os


class Failed(Exception):
    """The command failed, through no bug of ours: its text is the one line to show."""


_WORDS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EHOSTUNREACH: "no route to the host",
    errno.EMSGSIZE: "too long for one datagram",
    errno.ENETUNREACH: "no route to the network",
    errno.ETIMEDOUT: "no answer",
}


def os_cause(error: OSError) -> str:
    """Return the cause of *error* in plain words, without its number."""
    if error.errno in _WORDS:
        return _WORDS[error.errno]
    text = error.strerror or (os.strerror(error.errno) if error.errno else str(error))
    return text[:1].lower() + text[1:]
