"""What settings say of each other: contradictions within a service, and between services.

Only what is wrong on any machine; opens and asks nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Protocol

from socketsuite.addresses import path_text
from socketsuite.daemon.config.frontends import WHERE, FrontendConfiguration
from socketsuite.daemon.config.process_settings import ProcessSettings
from socketsuite.settings import Setting, SettingsError

METRICS_ADDRESS = "127.0.0.1"


class _Listening(Protocol):
    """What is asked of a service's configuration."""

    name: str

    @property
    def frontends(self) -> Sequence[FrontendConfiguration]: ...
    def kinds_of(self, frontend: FrontendConfiguration) -> tuple[bool, bool]: ...


def check_service(
    values: Mapping[str, Any], origins: Mapping[str, str], prefixes: Sequence[str] = ("",)
) -> None:
    """Refuse what one service's settings say against each other.

    :param values: every setting's value, by its name; defaults too.
    :param origins: where it was said, for those that are not defaults.
    :param prefixes: what the flags of each frontend begin with.
    :raises SettingsError: naming both settings where they were said.
    """
    slugs = [prefix.replace("-", "_") for prefix in prefixes]
    tls_ports = [f"{slug}tls_port" for slug in slugs]
    for name in ("tls_key", "tls_client_ca", *tls_ports):
        if values.get(name) and values["tls_cert"] is None:
            needed = _beside(origins[name], "tls_cert")
            raise SettingsError(f"{origins[name]} needs {needed} FILE beside it")
    for name in ("interface", *(f"{slug}port" for slug in slugs), *tls_ports):
        if name in origins and not values[name]:
            raise SettingsError(
                f"{name.replace('_', '-')} ({origins[name]}) is empty; leave it out, or say where"
                " to listen"
            )
    for name in ("interface", *(f"{slug}{where}" for slug in slugs for where in WHERE)):
        _refuse_twice(name, values.get(name, ()), origins)
    _refuse_covered(values["interface"], origins)
    # The soft limit's default may be above a hard limit that somebody chose: it has no effect then.
    if "send_queue_soft" in origins and values["send_queue_soft"] > values["send_queue"]:
        hard = origins.get("send_queue") or _beside(origins["send_queue_soft"], "send_queue")
        raise SettingsError(
            f"{origins['send_queue_soft']} is {values['send_queue_soft']} bytes, more than the"
            f" {values['send_queue']} of {hard}, and would have no effect"
        )
    if not (values.get("tcp", True) or values.get("udp", True)):
        raise SettingsError(
            f"{_off(origins, 'tcp')} and {_off(origins, 'udp')} leave nothing to serve"
        )
    if values["tls_port"] and not values.get("tcp", True):
        raise SettingsError(f"{origins['tls_port']} needs TCP, and {_off(origins, 'tcp')} is said")


def check_needs(
    settings: Iterable[Setting], values: Mapping[str, Any], origins: Mapping[str, str]
) -> None:
    """Refuse a setting that needs another one which nobody has said.

    :param values: by the settings' names, and *origins*, as for :func:`check_service`.
    :raises SettingsError: naming both.
    """
    declared = {item.name: item for item in settings}
    for item in declared.values():
        if not item.needs or item.name not in origins or values[item.name] == item.default:
            continue
        needed = declared[item.needs]
        if values[needed.name] == needed.default:
            words = f"{_beside(origins[item.name], needed.name)} {needed.placeholder}".strip()
            raise SettingsError(f"{origins[item.name]} needs {words} beside it")


def _off(origins: Mapping[str, str], name: str) -> str:
    return origins[name].replace(f"--{name}", f"--no-{name}")


def _beside(origin: str, name: str) -> str:
    """Return how the setting *name* would be said where another one was."""
    return f"--{name.replace('_', '-')}" if origin.startswith("--") else name.replace("_", "-")


def _refuse_twice(name: str, values: Sequence[Any], origins: Mapping[str, str]) -> None:
    for index, value in enumerate(values):
        if value and value in values[:index]:
            text = path_text(value) if isinstance(value, Path) else value
            key = name.replace("_", "-")
            raise SettingsError(f"{key} {text} is given twice ({origins[name]})")


def _refuse_covered(interfaces: Sequence[str], origins: Mapping[str, str]) -> None:
    claims = [(one, _Claim("", one, 0, dual=_is_dual(one, interfaces))) for one in interfaces]
    for (first, one), (second, other) in combinations(claims, 2):
        if one.shares_address(other):
            where = origins["interface"]
            raise SettingsError(f"interface {first} and {second} overlap ({where}); say one")


# ── between services ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Claim:
    """An address that would be listened on.

    :ivar kind: ``TCP``, ``UDP`` or ``Unix``, whose *host* is the path.
    :ivar dual: whether ``::`` takes IPv4 callers too.
    :ivar service: whose it is: two processes may share a port, two ports of one service may not.
    """

    kind: str
    host: str
    port: int
    dual: bool = False
    shared: bool = False
    service: str = ""

    def shares_address(self, other: _Claim) -> bool:
        if self.kind == "Unix":
            return self.host == other.host
        same = _normal(self.host) == _normal(other.host)
        return same or self._covers(other) or other._covers(self)

    def _covers(self, other: _Claim) -> bool:
        if self.host == "0.0.0.0":
            return ":" not in other.host
        return _normal(self.host) == "::" and (self.dual or ":" in other.host)

    def collides(self, other: _Claim) -> bool:
        same = self.kind == other.kind and self.port == other.port
        shared = self.shared and other.shared and self.service != other.service
        return same and not shared and self.shares_address(other)

    def __str__(self) -> str:
        if self.kind == "Unix":
            return f"Unix socket {path_text(self.host)}"
        return f"{self.kind} port {self.port} of {self.host}"


def check_together(
    configurations: Sequence[_Listening], process: ProcessSettings, *, activated: bool
) -> None:
    """Refuse two services or frontends, or one and the process, on one port or Unix socket.

    :param activated: whether the process was started with sockets, which may take the place of
        a port that nobody asked for.
    :raises SettingsError: naming both, and the address.
    """
    claims = [
        claim
        for one in configurations
        for frontend in one.frontends
        if not (activated and frontend.by_default)
        for claim in _claims(one, frontend)
    ]
    if process.metrics_port:
        claims.append(("metrics-port", _Claim("TCP", METRICS_ADDRESS, process.metrics_port)))
    if process.admin is not None:
        claims.append(("admin", _Claim("Unix", str(process.admin), 0)))
    for (first, one), (second, other) in combinations(claims, 2):
        if first != second and one.collides(other):
            raise SettingsError(
                f"{first} and {second} would both listen on {one}; give each one of its own"
            )


def _claims(
    configuration: _Listening, frontend: FrontendConfiguration
) -> Iterator[tuple[str, _Claim]]:
    """Yield what *frontend* would listen on, each with the words for who says so."""
    listen, (tcp, udp) = frontend.listen, configuration.kinds_of(frontend)
    service = configuration.name
    kinds = ["TCP"] * tcp + ["UDP"] * udp
    wanted = [(port, "port", kind) for port in listen.port for kind in kinds]
    wanted += [(port, "tls-port", "TCP") for port in listen.tls_port]
    for port, key, kind in wanted:
        # What one service says twice under one key has been refused already.
        who = service if frontend.prefix + key == "port" else f"{service} {frontend.prefix}{key}"
        for host in listen.interface if port else ():
            dual = _is_dual(host, listen.interface)
            yield who, _Claim(kind, host, port, dual, listen.reuse_port, service)
    for path in listen.unix:
        who = f"{service} {frontend.prefix}unix" if frontend.prefix else service
        yield who, _Claim("Unix", str(path), 0)


def _is_dual(host: str, interfaces: Sequence[str]) -> bool:
    return host == "::" and "0.0.0.0" not in interfaces


def _normal(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host
