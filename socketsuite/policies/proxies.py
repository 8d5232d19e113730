"""Whose PROXY headers are believed, and which listeners expect one.

Must not know what a header says, nor how it is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from socketsuite.policies.networks import Networks, network_word

UNIX = "unix"
_FOR_UNIX = f"{UNIX} for Unix sockets"


def proxy_word(raw: Any) -> str:
    """Read one word of the list: ``unix``, or what :func:`network_word` reads.

    A ``parse=`` for :func:`~socketsuite.settings.setting`.

    :raises ValueError: with the words for what is allowed.
    """
    if isinstance(raw, str) and raw.strip() == UNIX:
        return UNIX
    try:
        return network_word(raw)
    except ValueError as error:
        raise ValueError(f"{error}; or {_FOR_UNIX}") from None


class Proxies:
    """The proxies of ``--proxy-from``.

    What the listeners expect is said by the words alone, and not by the files that they name: a
    list that becomes empty leaves the TCP ports with nobody to believe, and never without a header.

    :param words: what :func:`proxy_word` reads.
    :ivar networks: from where the callers of TCP ports may send a header.
    :ivar kinds: whether TCP ports expect one, and whether Unix sockets do.
    :raises SettingsError: naming the word, or the file and its line.
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        said = tuple(words)
        self.networks = Networks(word for word in said if word != UNIX)
        self.kinds = bool(self.networks), UNIX in said

    def expected(self, *, local: bool) -> bool:
        """Whether a connection begins with a header.

        :param local: whether its listener is a Unix socket.
        """
        return self.kinds[local]

    def trusts(self, host: str | None) -> bool:
        """Whether *host* may send a header; ``None`` is a caller of a Unix socket.

        Who may connect there is for the socket's mode to say.
        """
        return host is None or host in self.networks
