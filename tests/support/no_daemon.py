"""What a service may ask of the daemon around it, where there is none."""

from __future__ import annotations


class NoDaemon:
    """Lets everybody in; *proxies* is whether every peer is a proxy that is believed."""

    name, draining = "chat", False

    def __init__(self, *, proxies: bool = False) -> None:
        self._proxies = proxies

    def is_proxy(self, host: str | None) -> bool:
        return self._proxies

    def forwarded(self, transport: object, host: str) -> str | None:
        return None
