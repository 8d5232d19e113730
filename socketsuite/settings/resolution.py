"""What each setting's value is: said by a flag, a variable or a file, or else its default.

This module must not know of any particular setting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from socketsuite.settings.declaration import Setting, SettingsError, nearest


def environment_prefix(name: str) -> str:
    """Return what the environment variables of the service *name* begin with."""
    return "".join(c if c.isalnum() else "_" for c in name).upper()


def resolve(
    settings: Iterable[Setting],
    *,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    prefix: str,
    table: Mapping[str, Any] | None = None,
    table_origin: str = "",
    reserved: Sequence[str] = (),
) -> dict[str, Any]:
    """Decide every setting's value: flag, then environment, then file, then default.

    :param flags: what the command line said, by setting name; absent or ``None`` means
        nothing was said.
    :param environ: the process environment; a variable below *prefix* that names no
        setting is an error.  Several values of one setting are separated by commas.
    :param table: what the configuration file says, by key; ``-`` and ``_`` are alike.
    :param table_origin: how errors name that table.
    :param reserved: further names that are known below *prefix*, such as ``config``.
    :raises SettingsError: at the first value that is unknown, ill-typed or missing.
    """
    known = {item.name: item for item in settings}
    from_file = _by_name(table or {}, known, table_origin)
    from_environment = _variables(environ, prefix, known, reserved)
    values = {}
    for name, item in known.items():
        if flags.get(name) is not None:
            values[name] = item.read(flags[name], item.flag)
        elif name in from_environment:
            raw: Any = from_environment[name]
            if item.multiple:
                raw = [part.strip() for part in raw.split(",")] if raw else []
            try:
                values[name] = item.read(raw, item.variable(prefix))
            except SettingsError as error:
                raise SettingsError(f"{error}{_service_link(environ, prefix)}") from None
        elif name in from_file:
            values[name] = item.read(from_file[name], table_origin)
        elif item.required:
            raise SettingsError(
                f"{item.key} is needed: say {item.flag} {item.placeholder}"
                f" or set {item.variable(prefix)} ({item.help})"
            )
        else:
            values[name] = item.default
    return values


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


def _by_name(table: Mapping[str, Any], known: Mapping[str, Setting], origin: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in known:
            near = nearest(key, [item.key for item in known.values()])
            raise SettingsError(f"unknown key {key!r} = {value!r} ({origin}){near}")
        if name in found:
            raise SettingsError(f"{known[name].key} is said twice ({origin})")
        found[name] = value
    return found


def _variables(
    environ: Mapping[str, str],
    prefix: str,
    known: Mapping[str, Setting],
    reserved: Sequence[str],
) -> dict[str, str]:
    found = {}
    for variable, value in environ.items():
        if not variable.startswith(f"{prefix}_"):
            continue
        name = variable[len(prefix) + 1 :].lower()
        if name in known:
            found[name] = value
        elif name not in reserved:
            names = [item.variable(prefix) for item in known.values()]
            hint = nearest(variable, names) + _service_link(environ, prefix)
            said = repr(f"{variable}={value}")
            raise SettingsError(f"unknown environment variable {said}{hint}")
    return found
