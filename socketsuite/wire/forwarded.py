"""Who a request is from, as proxies tell it: ``Forwarded`` (RFC 7239), ``X-Forwarded-For``.

Each proxy adds the address it was called from at the right, after whatever the caller wrote there
itself.  So the list is read from the right, and as far as those who wrote it are trusted.  Pure;
this module must not know who is trusted, nor why.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence

MOST_HOPS = 32

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t \x21-\x7e])*"'
# X-Forwarded-For's separators, too, since no proxy writes an unquoted address with a colon.
_PAIR = re.compile(rf"[ \t]*(?:({_TOKEN})=({_TOKEN}|{_QUOTED}))?[ \t]*(;|,|$)")
_WITH_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::(?:[0-9]{1,5}|_[\w.\-]+))?", re.A)


class ForwardedError(ValueError):
    """What a proxy said of its caller cannot be believed."""


def believed_host(
    peer: str | None,
    forwarded: Sequence[bytes],
    x_forwarded_for: Sequence[bytes],
    is_trusted: Callable[[str | None], bool],
) -> str | None:
    """Return the host that a request is from.

    :param peer: the host at the other end of the socket, ``None`` on a Unix socket.
    :param forwarded: the values of the ``Forwarded`` headers, *x_forwarded_for* of the others.
    :param is_trusted: whether what a host says of its caller is believed.
    :return: the first host from the right that is not trusted; *peer*, if it is not, or has said
        nothing of its caller.
    :raises ForwardedError: when a trusted proxy's words make no sense, or the two headers differ:
        one of them is the caller's own, and it cannot be known which.
    """
    if not is_trusted(peer):
        return peer
    said = [
        _walk(peer, hops, is_trusted)
        for hops in (_for_values(forwarded), _list(x_forwarded_for))
        if hops
    ]
    if len(said) == 2 and said[0] != said[1]:
        raise ForwardedError("Forwarded and X-Forwarded-For differ")
    return said[0] if said else peer


def _walk(
    peer: str | None, hops: list[str], is_trusted: Callable[[str | None], bool]
) -> str | None:
    if len(hops) > MOST_HOPS:
        raise ForwardedError("a request that has come through too many proxies")
    host = peer
    for hop in reversed(hops):
        if hop.lower() == "unknown" or hop.startswith("_"):
            break  # the proxy does not tell, and is as far as one can see
        host = host_of(hop)
        if not is_trusted(host):
            break
    return host


def host_of(hop: str) -> str:
    """Return the host of one hop, whose port is of no use to anybody.

    :raises ForwardedError: when it is no address.
    """
    found = _WITH_PORT.fullmatch(hop)
    text = (found[1] or found[2]) if found else hop
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ForwardedError(f"{hop[:64]!r} is no address") from None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _list(values: Sequence[bytes]) -> list[str]:
    return [hop.strip(" \t") for value in values for hop in value.decode("latin-1").split(",")]


def _for_values(values: Sequence[bytes]) -> list[str]:
    return [hop for value in values for hop in _elements(value.decode("latin-1"))]


def _elements(text: str) -> Iterator[str]:
    """Yield what each element of a ``Forwarded`` header says of its caller."""
    said: dict[str, str] = {}
    position = 0
    while True:
        found = _PAIR.match(text, position)
        if found is None:
            raise ForwardedError("Forwarded is no list of pairs")
        name, value, separator = found.groups()
        if name is not None:
            name = name.lower()
            if name in said:
                raise ForwardedError("Forwarded says one thing twice")
            said[name] = value
        if separator != ";":
            hop = said.get("for", "unknown")
            yield re.sub(r"\\(.)", r"\1", hop[1:-1]) if hop.startswith('"') else hop
            said = {}
        if not separator:
            return
        position = found.end()
