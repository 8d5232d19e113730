"""What each setting's value is: said by a flag, a variable or a file, or else its default.

This module must not know of any particular setting.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from socketsuite.settings.declaration import Setting, SettingsError, nearest
from socketsuite.settings.values import plain, shown


@dataclass(frozen=True)
class Table:
    """What a configuration file says in one of its tables, or at its top.

    :ivar file: the file, as errors name it.
    :ivar name: of the table; ``None`` is the top of the file.
    """

    entries: Mapping[str, Any]
    file: str
    name: str | None = None

    @property
    def place(self) -> str:
        """Where that is: ``all.toml, table [chat]``."""
        return self.file if self.name is None else f"{self.file}, table [{plain(self.name)}]"

    def origin(self, key: str) -> str:
        """Where the value of *key* stands: ``all.toml, table [chat], key "port"``."""
        return f'{self.place}, key "{plain(key)}"'


@dataclass(frozen=True)
class Resolved:
    """Every setting's value by its name, and where it was said; what is a default has no origin."""

    values: dict[str, Any]
    origins: dict[str, str] = field(default_factory=dict)


def environment_prefix(name: str) -> str:
    """Return what the environment variables of the service *name* begin with."""
    return "".join(c if c.isalnum() else "_" for c in name).upper()


def resolve(
    settings: Iterable[Setting],
    *,
    flags: Mapping[str, Any] | None,
    environ: Mapping[str, str],
    prefix: str | None,
    tables: Sequence[Table] = (),
    reserved: Collection[str] = (),
    others: Collection[str] = (),
) -> Resolved:
    """Decide every setting's value: flag, then environment, then file, then default.

    :param flags: what the command line said, by setting name; absent or ``None`` means
        nothing was said.  ``None`` for all of it: these settings have no flags.
    :param environ: the process environment; a variable below *prefix* that names no
        setting is an error.  Several values of one setting are separated by commas.
    :param prefix: what its variables begin with; ``None`` is none at all.
    :param tables: what the configuration file says, by key; ``-`` and ``_`` are alike.  A
        key stands in one of them only.
    :param reserved: further names that are known below *prefix*, such as ``config``.
    :param others: longer prefixes, whose variables are not these settings' own.
    :raises SettingsError: at the first value that is unknown, ill-typed or missing.
    """
    known = {item.name: item for item in settings}
    said = flags or {}
    from_file = _entries(tables, known)
    from_environment = _variables(environ, prefix, known, reserved, others) if prefix else {}
    resolved = Resolved({})
    for name, item in known.items():
        if said.get(name) is not None:
            origin = item.flag
            value = item.read(said[name], origin)
        elif prefix and name in from_environment:
            origin = item.variable(prefix)
            value = _read_variable(item, from_environment[name], origin, environ, prefix)
        elif name in from_file:
            raw, origin = from_file[name]
            value = item.read(raw, origin, "file")
        elif item.required:
            ways = _ways(item, flags is not None, prefix, tables)
            raise SettingsError(f"{item.key} is needed: {ways} ({item.help})")
        else:
            resolved.values[name] = item.default
            continue
        resolved.values[name] = value
        resolved.origins[name] = origin
    return resolved


def _ways(item: Setting, flags: bool, prefix: str | None, tables: Sequence[Table]) -> str:
    """Return how a value can be said for a setting that needs one."""
    ways = [f"say {item.flag} {item.placeholder}"] if flags else []
    if tables:
        ways.append(f"write {item.key} = … in {tables[-1].place}")
    if prefix:
        ways.append(f"set {item.variable(prefix)}")
    return " or ".join(ways)


def _read_variable(
    item: Setting, text: str, origin: str, environ: Mapping[str, str], prefix: str
) -> Any:
    raw: Any = text
    if item.multiple:
        raw = [part.strip() for part in text.split(",")] if text else []
    try:
        return item.read(raw, origin, "variable")
    except SettingsError as error:
        raise SettingsError(f"{error}{_service_link(environ, prefix)}") from None


def _service_link(environ: Mapping[str, str], prefix: str) -> str:
    """Return a hint where *environ* holds what container platforms set by themselves.

    Kubernetes and Docker links set ``NAME_PORT=tcp://…`` and more for a service NAME.
    """
    if "://" not in environ.get(f"{prefix}_PORT", ""):
        return ""
    return (
        f" ({prefix}_PORT looks like a service link that a container platform set;"
        " unset it, or turn service links off)"
    )


def _entries(tables: Sequence[Table], known: Mapping[str, Setting]) -> dict[str, tuple[Any, str]]:
    """Return what *tables* say, by the setting's name: the raw value, and where it stands."""
    found: dict[str, tuple[Any, str]] = {}
    for table in tables:
        for key, value in table.entries.items():
            name = key.replace("-", "_")
            if name not in known:
                near = nearest(key, [item.key for item in known.values()])
                raise SettingsError(f"unknown key {shown(key)} ({table.place}){near}")
            if name in found:
                raise SettingsError(
                    f"{known[name].key} is said twice ({found[name][1]}; {table.origin(key)})"
                )
            found[name] = value, table.origin(key)
    return found


def _variables(
    environ: Mapping[str, str],
    prefix: str,
    known: Mapping[str, Setting],
    reserved: Collection[str],
    others: Collection[str],
) -> dict[str, str]:
    """Return what the variables below *prefix* say, by the setting's name.

    A variable is the longest prefix's that it begins with: of services ``od`` and
    ``od-all``, ``OD_ALL_PORT`` is the latter's.  What an unknown one says is never shown.
    """
    names = {item.variable(prefix): item.name for item in known.values()}
    other = {f"{prefix}_{name.upper()}" for name in reserved}
    longer = tuple(f"{one}_" for one in others if one.startswith(f"{prefix}_"))
    found = {}
    for variable, value in environ.items():
        if variable.startswith(longer):
            continue
        if variable in names:
            found[names[variable]] = value
        elif variable in other:
            continue
        elif variable.startswith(f"{prefix}_") or variable.upper() in names:
            hint = nearest(variable.upper(), names) + _service_link(environ, prefix)
            raise SettingsError(f"unknown environment variable {shown(variable)}{hint}")
    return found
