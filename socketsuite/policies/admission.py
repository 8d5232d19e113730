"""Who is let in: the lists, the counts and the rates, asked once for each connection.

Decides, and counts who was let in; must not know how a connection is made or refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from socketsuite.policies.hosts import HostLimits
from socketsuite.policies.networks import Admission, Networks
from socketsuite.policies.proxies import Proxies
from socketsuite.policies.settings import AdmissionSettings
from socketsuite.reasons import MAX_CONNECTIONS, Reason


class AdmissionPolicy:
    """Everything that can keep a connection out, in the order in which it is asked.

    :param settings: the files its lists name are read here.
    :param seconds: a monotonic clock.
    :raises SettingsError: naming the list's file and line.
    """

    def __init__(self, settings: AdmissionSettings, seconds: Callable[[], float]) -> None:
        self.max_connections = settings.max_connections
        self.lists = Admission(Networks(settings.allow), Networks(settings.deny))
        self.proxies = Proxies(settings.proxy_from)
        self.hosts = HostLimits(
            settings.max_connections_per_host,
            settings.max_rate_per_host,
            settings.rate_window,
            seconds,
        )

    def refusal(self, host: Any, connections: int) -> Reason | None:
        """Return why a new connection of *host* is not let in, or ``None``.

        :param host: the address, ``None`` on a Unix socket.
        :param connections: how many are open already.
        """
        if 0 < self.max_connections <= connections:
            return MAX_CONNECTIONS
        if host is None:
            return None
        return self.lists.refusal(host) or self.hosts.refusal(host)

    def inherit_from(
        self, former: AdmissionPolicy, settings: AdmissionSettings, present: Iterable[Any]
    ) -> None:
        """Take over what *former* has counted; *present* are the hosts of open connections."""
        self.hosts = former.hosts
        self.hosts.limit(
            settings.max_connections_per_host,
            settings.max_rate_per_host,
            settings.rate_window,
            present,
        )
