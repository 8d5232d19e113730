"""The reference of all settings, in Markdown: ``python -m socketsuite.daemon.config.reference``.

Written from the same declarations that the daemons obey.  Must not know any setting by
name, except that every service has a default port of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace

from socketsuite.daemon.config.groups import SettingsGroup, groups_of
from socketsuite.service import ServiceSpecification, installed_services
from socketsuite.settings import Setting, environment_prefix, settings_of

OURS = "socketsuite-"

_HEAD = """\
# Settings

Written by `make docs` from the declarations in the code; change those, not this file.

Every setting is a flag, an environment variable and a key in a TOML file (`--config FILE.toml`).
A flag wins over the environment, which wins over the file, which wins over the default. A setting
that may be repeated takes several flags, a TOML array, or a variable with commas between the
values. A switch that is on is turned off by `--no-…`. An unknown name is an error. An error names
where it was said: flag, variable, or file, table and key. What a variable says is shown only where
a number or a choice was wanted, since it could be a secret.

A secret is never shown, not even its default. Beside it stands a setting with the same name and
`-file`: a file whose text is its value, read anew by a reload. A flag is seen by every user of the
machine, in `ps`: for a secret, a variable or a file is better.

The settings of a nested table have one prefix. In TOML they may be said in a table of that name
instead: `upstream-port = 80`, or `port = 80` below `[upstream]`, which is `[acme-proxy.upstream]`
in a file that has the table `[acme-proxy]`.

Where "reload" says yes, a change takes effect by SIGHUP, without dropping a connection; else it
needs a restart, which the log says.

SECONDS are a number, or amounts with the units d, h, m, s and ms, the largest first: `2.5`, `90s`,
`5m`, `1h30m`, `250ms`. In TOML those with units stand in quotes: `idle-timeout = "5m"`.

Variables are written in capitals. One that begins with the names of two installed services, as
`OD_ALL_PORT` does with those of `od` and `od-all`, is the longer name's.

The file is UTF-8 and at most 1 MiB. `twistd -n socketsuite --config FILE.toml` runs several
services in one process: one table for each, named after it (`[chat]`), with the keys below. Those
under "The process" stand at the top of the file, above the first table; where the file has one
service only, they may stand in its table too. The same file serves a single daemon, which reads the
top and its own table. A file without any table is one service's own.
"""
_EVERY_DAEMON = """\
## Every daemon

`…` stands for the service: `SOCKETSUITE_ECHO_PORT`, `SOCKETSUITE_CHAT_PORT`.
"""
_COLUMNS = ("flag", "environment variable", "TOML key", "default", "allowed", "reload", "meaning")


def reference(plugins: Iterable[ServiceSpecification]) -> str:
    """Return the reference of *plugins*: what all daemons take, once, then each one's own."""
    ordered = sorted(plugins, key=lambda plugin: plugin.tapname)
    common: dict[object, SettingsGroup] = {}
    own: list[str] = []
    for plugin in ordered:
        groups = groups_of(plugin)
        # As every daemon has them, without the defaults that one of them brings.
        for each in groups:
            if not each.of_service and each.group not in common:
                common[each.group] = replace(each, settings=settings_of(each.group))
        own += _service(plugin, [each for each in groups if each.of_service])
    shared = [_EVERY_DAEMON]
    for each in common.values():
        shared += [f"### {each.title}\n", _table(each.settings, f"{environment_prefix(OURS)}…")]
    return "\n".join([_HEAD, *shared, *own])


def _service(plugin: ServiceSpecification, groups: list[SettingsGroup]) -> Iterator[str]:
    others = ", ".join(f"`{key} = {value!r}`" for key, value in plugin.defaults.items())
    more = f" Its own defaults: {others}." if others else ""
    yield f"## {plugin.tapname}\n\n{plugin.description}. Default port: {plugin.port}.{more}\n"
    prefix = environment_prefix(plugin.tapname)
    for each in groups:
        yield _table(each.settings, prefix)


def _table(settings: Iterable[Setting], prefix: str) -> str:
    rows = [_COLUMNS, ("---",) * len(_COLUMNS), *(_row(item, prefix) for item in settings)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def _row(item: Setting, prefix: str) -> tuple[str, ...]:
    flag = f"{item.flag} {item.placeholder}".rstrip()
    default = item.default_text
    if item.name == "port":
        default = "the service's own"
    elif item.required:
        default = "required"
    allowed = f"{item.allowed}; repeatable" if item.multiple else item.allowed
    reload = "yes" if item.reload else "restart"
    code = (f"`{text}`" for text in (flag, item.variable(prefix), item.key))
    return tuple(cell.replace("|", r"\|") for cell in (*code, default, allowed, reload, item.help))


def main() -> None:
    """Print the reference of the suite's own services."""
    plugins = installed_services().values()
    sys.stdout.write(reference(p for p in plugins if p.tapname.startswith(OURS)))


if __name__ == "__main__":
    main()
