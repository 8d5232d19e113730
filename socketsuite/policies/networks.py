"""Lists of networks, and who is let in by them.

Text in, membership out: ``10.0.0.0/8``, ``192.0.2.7``, ``2001:db8::/32``, or a file with one
of these on each line.  IPv4 inside IPv6 (``::ffff:192.0.2.7``) is IPv4 everywhere here, so
``::/0`` is every IPv6 address and no IPv4 one.  This module must not know of connections,
nor of what happens to those who are refused.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from socketsuite.addresses import packed_host
from socketsuite.reasons import ALLOW, DENY, Reason
from socketsuite.settings import SettingsError

_ALLOWED = (
    "a network such as 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32, or @FILE with one on each line"
)
_MAPPED = b"\0" * 10 + b"\xff\xff"
_MAPPED_BITS = 96

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def network_word(raw: Any) -> str:
    """Read one word of a list: a network, ``@FILE``, or the path of a file that is there.

    A ``parse=`` for :func:`~socketsuite.settings.setting`.  A file's path is made absolute,
    so that it can be read again from elsewhere; the file itself is read by
    :class:`Networks`.

    :raises ValueError: with the words for what is allowed.
    """
    if not isinstance(raw, str) or not raw.strip() or "\0" in raw:
        raise ValueError(_ALLOWED)
    word = raw.strip()
    if word.startswith("@"):
        if len(word) == 1:
            raise ValueError(_ALLOWED)
        return f"@{_absolute(word[1:])}"
    try:
        return str(_network(word))
    except ValueError:
        path = _absolute(word)
        # 10.0.0.1/8 may be a file too, but is more likely a slip.
        if path.is_file() and _address(word.partition("/")[0]) is None:
            return f"@{path}"
        raise


def _absolute(name: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(name)))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _network(text: str) -> Network:
    """Read one network.

    :raises ValueError: with the words for what is allowed, and the cure where it is clear.
    """
    host, slash, length = text.partition("/")
    address = _address(host)
    if address is None or (slash and not (length.isascii() and length.isdigit())):
        raise ValueError(_ALLOWED)
    if "%" in host:
        raise ValueError(f"{text.replace(host, host.partition('%')[0])}, a network without a scope")
    if slash and int(length) > address.max_prefixlen:
        raise ValueError(f"a length from /0 to /{address.max_prefixlen} behind {host}")
    network: Network = ipaddress.ip_network(text, strict=False)
    if network.network_address != address:
        raise ValueError(
            f"{network} for the whole network or {host} for that one host"
            f" ({text} has bits set behind the first {length})"
        )
    if isinstance(network, ipaddress.IPv6Network):
        packed = network.network_address.packed
        if packed.startswith(_MAPPED) and network.prefixlen >= _MAPPED_BITS:
            return ipaddress.IPv4Network((packed[12:], network.prefixlen - _MAPPED_BITS))
    return network


class Networks:
    """A list of networks: ``host in networks``.

    A look-up costs one set per prefix length in use, however many networks there are.  A
    list is true when something was said, even if the file that was named is empty.

    :param words: what :func:`network_word` reads.
    :raises SettingsError: naming the word, or the file and its line.
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        self.words = tuple(words)
        found: dict[tuple[int, int], set[int]] = {}
        for network in self._read():
            shift = network.max_prefixlen - network.prefixlen
            numbers = found.setdefault((network.max_prefixlen // 8, shift), set())
            numbers.add(int(network.network_address) >> shift)
        self._count = sum(len(numbers) for numbers in found.values())
        # By the length of a packed address; the widest networks first.
        self._sets = {
            size: sorted(
                ((shift, numbers) for (of, shift), numbers in found.items() if of == size),
                key=lambda each: -each[0],
            )
            for size in (4, 16)
        }

    def _read(self) -> Iterator[Network]:
        for word in self.words:
            try:
                checked = network_word(word)
            except ValueError as error:
                raise SettingsError(f"{word!r} is not valid; allowed: {error}") from None
            if checked.startswith("@"):
                yield from _file(Path(checked[1:]))
            else:
                yield _network(checked)

    def reread(self) -> Networks:
        """Return the same list with its files read again; this one stays as it is.

        :raises SettingsError: naming the file and the line.
        """
        return Networks(self.words)

    def __bool__(self) -> bool:
        return bool(self.words)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, host: object) -> bool:
        packed = packed_host(host) if self._count else None
        if packed is None:
            return False
        number = int.from_bytes(packed, "big")
        return any(number >> shift in numbers for shift, numbers in self._sets[len(packed)])


def _file(path: Path) -> Iterator[Network]:
    try:
        if path.exists() and not path.is_file():
            raise SettingsError(f"{path} is not a regular file, which a list of networks must be")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not text, which a list of networks must be") from None
    for number, line in enumerate(text.splitlines(), 1):
        word = line.partition("#")[0].strip()
        if not word:
            continue
        try:
            yield _network(word)
        except ValueError as error:
            # A file names no further files.
            allowed = str(error).partition(", or @FILE")[0]
            raise SettingsError(
                f"{path}, line {number}: {word!r} is not valid; allowed: {allowed}"
            ) from None


class Admission:
    """Who may connect at all.

    ``deny`` wins.  Where nothing is said of ``allow`` everybody is let in, else only its
    own; a file without a line lets nobody in.  A caller without an address, on a Unix
    socket, is not for these lists to judge: the socket's mode is.
    """

    def __init__(self, allow: Networks | None = None, deny: Networks | None = None) -> None:
        self.allow = Networks() if allow is None else allow
        self.deny = Networks() if deny is None else deny

    def __bool__(self) -> bool:
        """Whether anybody could be refused."""
        return bool(self.allow.words or self.deny)

    def refusal(self, host: Any) -> Reason | None:
        """Return the list that keeps *host* out, or ``None``."""
        if self.deny.words and host in self.deny:
            return DENY
        if self.allow.words and host not in self.allow and packed_host(host) is not None:
            return ALLOW
        return None

    def reread(self) -> Admission:
        """Return the same lists with their files read again, both or none.

        :raises SettingsError: naming the file and the line.
        """
        return Admission(self.allow.reread(), self.deny.reread())
