"""How a command says that it could not do its work.

This module must not know of click, Twisted or any one command.
"""

from __future__ import annotations

import errno
import os
from typing import Literal

# The stable names of what can go wrong; docs/clients.md says what each means.
Code = Literal[
    "bad-receipt",
    "client-certificate",
    "closed",
    "daemon-refused",
    "denied",
    "different",
    "file",
    "input",
    "interrupted",
    "lost",
    "no-daemon",
    "not-a-daemon",
    "not-found",
    "not-open",
    "not-tls",
    "other-bytes",
    "output",
    "protocol",
    "refused",
    "system",
    "terminated",
    "timeout",
    "tls",
    "too-few-answers",
    "too-long",
    "unconfirmed",
    "unknown-host",
    "unreachable",
    "untrusted",
    "usage",
]


class Failed(Exception):
    """The command failed, through no bug of ours: its text is the one line to show.

    :ivar code: the same for a machine.
    :ivar silent: whether a person needs no line, having seen why already.
    """

    def __init__(self, message: str, code: Code = "system", *, silent: bool = False) -> None:
        super().__init__(message)
        self.code: Code = code
        self.silent = silent


_WORDS: dict[int, tuple[str, Code]] = {
    errno.EACCES: ("permission denied", "denied"),
    errno.ECONNREFUSED: ("connection refused", "refused"),
    errno.ECONNRESET: ("connection reset", "lost"),
    errno.EHOSTUNREACH: ("no route to the host", "unreachable"),
    errno.EMSGSIZE: ("too long for one datagram", "too-long"),
    errno.ENETUNREACH: ("no route to the network", "unreachable"),
    errno.ENOENT: ("no such file or directory", "not-found"),
    errno.ETIMEDOUT: ("no answer", "timeout"),
}


def os_cause(error: OSError) -> str:
    """Return the cause of *error* in plain words, without its number."""
    if error.errno in _WORDS:
        return _WORDS[error.errno][0]
    text = error.strerror or (os.strerror(error.errno) if error.errno else str(error))
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def os_code(error: OSError) -> Code:
    """Return the stable name for *error*."""
    return _WORDS[error.errno][1] if error.errno in _WORDS else "system"
