"""Up to when people have read what: by account, or for who has none, while the client is here.

In memory, and bounded.  This module must not know the wire.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

MOST_TARGETS = 200
"""Rooms and people that one account marks."""
MOST_ACCOUNTS = 10_000


class Reader(Protocol):
    """A client, as far as it reads."""

    markers: dict[str, float]

    @property
    def me_account(self) -> str | None:
        """The account that the client is logged in as."""
        ...


class Markers:
    """The markers of all: by account, then by target, in seconds since 1970."""

    def __init__(self) -> None:
        self._by_account: dict[str, dict[str, float]] = {}

    def move(self, before: str, target: str, readers: Iterable[Reader]) -> None:
        """Have what marked *before* mark *target*, of all accounts and of these *readers*."""
        for markers in (*self._by_account.values(), *(one.markers for one in readers)):
            if before in markers:
                markers[target] = markers.pop(before)

    def of(self, reader: Reader) -> dict[str, float]:
        """Return the markers of one, which may be none yet."""
        account = reader.me_account
        return reader.markers if account is None else self._by_account.get(account, {})

    def set(self, reader: Reader, target: str, seconds: float) -> bool:
        """Set one; whether there is room for it.  Accounts that were silent longest go first."""
        markers, account = reader.markers, reader.me_account
        if account is not None:
            markers = self._by_account.pop(account, {})
            self._by_account[account] = markers
            if len(self._by_account) > MOST_ACCOUNTS:
                del self._by_account[next(iter(self._by_account))]
        if target not in markers and len(markers) >= MOST_TARGETS:
            return False
        markers[target] = seconds
        return True
