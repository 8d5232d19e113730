"""What each setting's value is: said by a flag, a variable or a file, or else its default.

This module must not know of any particular setting.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from socketsuite.settings.declaration import Setting, SettingsError, Source, nearest
from socketsuite.settings.secrets import read_secret
from socketsuite.settings.values import plain, shown

# Which source counts where several speak.
_FIRST: tuple[Source, ...] = ("flag", "variable", "file")


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

    def nested(self, name: str) -> Table:
        """Return the table *name* that stands in this one."""
        return Table(self.entries[name], self.file, self.nested_name(name))

    def nested_name(self, name: str) -> str:
        """Return what the table *name* in this one is called as a whole."""
        return name if self.name is None else f"{self.name}.{name}"


@dataclass(frozen=True)
class Resolved:
    """Every setting's value by its name, and where it was said; what is a default has no origin.

    :ivar notices: lines for the operator, of what is allowed and unwise.
    """

    values: dict[str, Any] = field(repr=False)  # secrets are among them
    origins: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Said:
    """What one source says of a setting."""

    raw: Any = field(repr=False)
    origin: str
    source: Source


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
        key stands in one of them only, or in one nested in it.
    :param reserved: further names that are known below *prefix*, such as ``config``.
    :param others: longer prefixes, whose variables are not these settings' own.
    :raises SettingsError: at the first value that is unknown, ill-typed or missing.
    """
    known = {item.name: item for item in settings}
    said = flags or {}
    from_file = _entries(tables, known)
    from_environment = _variables(environ, prefix, known, reserved, others) if prefix else {}
    link = _service_link(environ, prefix) if prefix else ""

    def find(item: Setting) -> _Said | None:
        if said.get(item.name) is not None:
            return _Said(said[item.name], item.flag, "flag")
        if prefix and item.name in from_environment:
            return _Said(from_environment[item.name], item.variable(prefix), "variable")
        return from_file.get(item.name)

    resolved = Resolved({})
    files = {item.file_of: item for item in known.values() if item.file_of}
    for name, item in known.items():
        if item.file_of:
            continue  # what it says is the value of another one
        found = find(item)
        if name in files and (named := find(files[name])) is not None:
            if found is not None and found.source == named.source:
                raise SettingsError(_twice(item, found.origin, named.origin))
            if found is None or _FIRST.index(named.source) < _FIRST.index(found.source):
                path = _read(files[name], named, link)
                secret = read_secret(path, named.origin, multiple=item.multiple)
                resolved.notices.extend(filter(None, [secret.notice]))
                found = _Said(secret.raw, f"{named.origin} {plain(str(path))}", "flag")
        if found is not None:
            resolved.values[name] = _read(item, found, link)
            resolved.origins[name] = found.origin
        elif item.required:
            ways = _ways(item, flags is not None, prefix, tables)
            raise SettingsError(f"{item.key} is needed: {ways} ({item.help})")
        else:
            resolved.values[name] = item.default
    return resolved


def _twice(item: Setting, one: str, other: str) -> str:
    return f"{item.key} is said twice ({one}; {other})"


def _ways(item: Setting, flags: bool, prefix: str | None, tables: Sequence[Table]) -> str:
    """Return how a value can be said for a setting that needs one."""
    ways = [f"say {item.flag} {item.placeholder}"] if flags else []
    if tables:
        ways.append(f"write {item.key} = … in {tables[-1].place}")
    if prefix:
        ways.append(f"set {item.variable(prefix)}")
    return " or ".join(ways)


def _read(item: Setting, said: _Said, link: str) -> Any:
    if said.source != "variable":
        return item.read(said.raw, said.origin, said.source)
    raw = said.raw
    if item.multiple:
        raw = [part.strip() for part in raw.split(",")] if raw else []
    try:
        return item.read(raw, said.origin, "variable")
    except SettingsError as error:
        raise SettingsError(f"{error}{link}") from None


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


def _entries(tables: Sequence[Table], known: Mapping[str, Setting]) -> dict[str, _Said]:
    """Return what *tables* and those nested in them say, by the setting's name."""
    found: dict[str, _Said] = {}
    for table in tables:
        for item, value, origin in _read_table(table, known.values()):
            if item.name in found:
                raise SettingsError(_twice(item, found[item.name].origin, origin))
            found[item.name] = _Said(value, origin, "file")
    return found


def _read_table(
    table: Table, settings: Iterable[Setting], within: str = ""
) -> Iterator[tuple[Setting, Any, str]]:
    """Yield each setting that *table* says, with its raw value, and where that stands.

    :param within: the nested table that it is, with keys of its own.
    """
    by_key: dict[str, Setting] = {}
    nested: dict[str, list[Setting]] = {}
    for item in settings:
        by_key[item.field if within else item.name] = item
        if item.table and not within:
            nested.setdefault(item.table, []).append(item)
    for key, value in table.entries.items():
        name = key.replace("-", "_")
        if name in nested:
            if not isinstance(value, Mapping):
                raise SettingsError(
                    f"{plain(key)} ({table.origin(key)}) is a table: write"
                    f" [{plain(table.nested_name(key))}], once, and its keys below"
                )
            yield from _read_table(table.nested(key), nested[name], name)
        elif name in by_key:
            yield by_key[name], value, table.origin(key)
        else:
            near = nearest(key, [one.replace("_", "-") for one in [*by_key, *nested]])
            raise SettingsError(f"unknown key {shown(key)} ({table.place}){near}")


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
