"""Whether a page of another origin may open a WebSocket (RFC 6455, 10.2).

Browsers send cookies and whatever else identifies their user with every handshake, whoever's
page it is that opens it; only ``Origin`` tells.  Pure; it must not know of requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True)
class Origins:
    """Who may open connections.

    :param allowed: origins like ``https://chat.example``, besides our own; ``*`` for all.
    :param own: pages of the host and port that the request itself was for.
    :param missing: whoever sends no Origin at all, which browsers always do.
    """

    allowed: frozenset[str] = frozenset()
    own: bool = True
    missing: bool = True

    @classmethod
    def of(cls, allowed: Iterable[str] = (), *, own: bool = True, missing: bool = True) -> Origins:
        """Return the rule for *allowed*, each written as a browser would.

        :raises ValueError: for what is neither an origin, ``null`` nor ``*``.
        """
        return cls(frozenset(_canonical(each) for each in allowed), own, missing)

    def allows(self, origins: list[str], host: str) -> bool:
        """Whether a request with these ``Origin`` headers, for *host*, may open a connection."""
        if not origins:
            return self.missing
        if len(origins) > 1:
            return False
        if "*" in self.allowed:
            return True
        try:
            origin = _canonical(origins[0])
        except ValueError:
            return False
        return origin in self.allowed or (self.own and origin != "null" and _is_own(origin, host))


def _canonical(text: str) -> str:
    """Return an origin in one spelling: lower case, and always with its port."""
    text = text.strip()
    if text in ("*", "null"):
        return text
    parts = urlsplit(text)
    port = parts.port or _PORTS.get(parts.scheme)  # ValueError for a port that is none
    rest = parts.path or parts.query or parts.fragment or "@" in parts.netloc
    if not parts.scheme or not parts.hostname or rest:
        raise ValueError(f"{text!r} is no origin, like https://chat.example")
    return f"{parts.scheme}://{_host(parts.hostname)}:{port or ''}"


def _host(name: str) -> str:
    name = name.lower().rstrip(".")
    return f"[{name}]" if ":" in name else name


def _is_own(origin: str, host: str) -> bool:
    scheme = origin.partition(":")[0]
    try:
        # A Host header without a port means the default of the scheme, which a proxy that ends
        # TLS keeps to itself.
        return bool(host) and _canonical(f"{scheme}://{host}") == origin
    except ValueError:
        return False
