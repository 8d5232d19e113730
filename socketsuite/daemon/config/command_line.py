"""The command line of a twistd command, made from declared settings.

``flags`` has what may be said, ``configuration`` decides what it comes to.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import click

from socketsuite.daemon.config.config_file import ConfigFile, is_of_process, read_config
from socketsuite.daemon.config.configuration import (
    Configuration,
    configure,
    prefixes_beside,
)
from socketsuite.daemon.config.consistency import check_together
from socketsuite.daemon.config.flags import service_command, suite_command
from socketsuite.daemon.config.process_settings import ProcessSettings
from socketsuite.daemon.config.twistd import TwistdOptions
from socketsuite.daemon.listen.inherited import start_environment
from socketsuite.service import ServiceSpecification, installed_services, services_named
from socketsuite.settings import (
    SettingsError,
    Table,
    environment_prefix,
    nearest,
    plain,
    resolve,
    settings_of,
    shown,
)


class DaemonOptions(TwistdOptions):
    """The options of one service's command."""

    def __init__(
        self, plugin: ServiceSpecification, rivals: Sequence[ServiceSpecification] = ()
    ) -> None:
        super().__init__(plugin.tapname)
        self.plugin = plugin
        self.rivals = rivals

    def command(self) -> click.Command:
        """Return the click command with a flag for every setting."""
        return service_command(self.plugin)

    def resolve(self, said: Mapping[str, Any]) -> tuple[list[Configuration], ProcessSettings]:
        """Return the one configuration, from flags, environment and ``--config``."""
        path = _config_path(said, environment_prefix(self.plugin.tapname))
        tables = read_config(path).tables_for(self.plugin) if path is not None else ()
        found = configure(self.plugin, flags=said, environ=os.environ, tables=tables)
        found.notices += _rivals_notice(self.plugin, self.rivals)
        _check_together([found], found.process)
        return [found], found.process


class SuiteOptions(TwistdOptions):
    """The options of the command that runs several services from one file."""

    def command(self) -> click.Command:
        """Return the click command; all else is said in the file."""
        return suite_command(self.name)

    def resolve(self, said: Mapping[str, Any]) -> tuple[list[Configuration], ProcessSettings]:
        """Return one configuration for each table of the file, and the process's own."""
        prefix = environment_prefix(self.name)
        path = _config_path(said, prefix)
        if path is None:
            raise SettingsError("--config FILE.toml is needed: it says which services to run")
        file = read_config(path)
        top = file.process_table()
        if not file.services:
            raise SettingsError(f"{file.name} names no service; write a table such as [chat]")
        tables, of_process = _services(file)
        resolved = resolve(
            settings_of(ProcessSettings),
            flags=said,
            environ=os.environ,
            prefix=prefix,
            tables=[top, *of_process],
            reserved=("config",),
            others=prefixes_beside(prefix, os.environ),
        )
        process = ProcessSettings(**resolved.values)
        plugins = installed_services()
        found = [_from_table(wanted, table, plugins) for wanted, table in tables]
        names = [one.name for one in found]
        for name in names:
            if names.count(name) > 1:
                raise SettingsError(
                    f"two tables of {file.name} are {name!r}; give the second one a name of its"
                    f' own and say service = "{name.removeprefix("socketsuite-")}" in it'
                )
        _check_together(found, process)
        return found, process


def _config_path(said: Mapping[str, Any], prefix: str) -> str | None:
    """Return the file that was named by flag or variable, if one was."""
    variable = f"{prefix}_CONFIG"
    path = said["config"]
    origin, path = ("--config", path) if path is not None else (variable, os.environ.get(variable))
    if path == "":
        raise SettingsError(f"{origin} is empty; say which file, or leave it out")
    return path


def _check_together(configurations: Sequence[Configuration], process: ProcessSettings) -> None:
    activated = "LISTEN_FDS" in start_environment(dict(os.environ))
    check_together(configurations, process, activated=activated)


def _rivals_notice(
    plugin: ServiceSpecification, rivals: Sequence[ServiceSpecification]
) -> list[str]:
    """Return the line for plugins of one name, of which only the first is served."""
    others = [one.target for one in rivals if one is not plugin]
    if not others:
        return []
    names = ", ".join(others)
    text = f"also installed under this name, and not served: {names}; uninstall one, or rename it"
    return [f"{plugin.target} is served; {text}"]


def _services(file: ConfigFile) -> tuple[list[tuple[Any, Table]], list[Table]]:
    """Return each table with the service it is for, and what one says of the process.

    :raises SettingsError: where a service's table sets the process, with several services in it.
    """
    services: list[tuple[Any, Table]] = []
    of_process: list[Table] = []
    for name in file.services:
        wanted, table = file.service(name)
        assert table is not None
        misplaced = {key: value for key, value in table.entries.items() if is_of_process(key)}
        if misplaced and len(file.services) > 1:
            key = next(iter(misplaced))
            raise SettingsError(
                f"{key} is a setting of the process, in which several services run"
                f" ({table.origin(key)}); write it at the top of the file, above the first table"
            )
        own = {key: value for key, value in table.entries.items() if key not in misplaced}
        services.append((wanted, Table(own, table.file, table.name)))
        of_process.append(Table(misplaced, table.file, table.name))
    return services, of_process


def _from_table(
    wanted: Any, table: Table, plugins: dict[str, ServiceSpecification]
) -> Configuration:
    plugin = None
    if isinstance(wanted, str):
        plugin = plugins.get(wanted) or plugins.get(f"socketsuite-{wanted}")
    if plugin is None:
        short = [known.removeprefix("socketsuite-") for known in plugins]
        raise SettingsError(
            f"no service is called {shown(wanted)} ({table.place}){nearest(str(wanted), short)}"
        )
    own = table.name in (plugin.tapname, plugin.tapname.removeprefix("socketsuite-"))
    found = configure(
        plugin,
        flags=None,
        environ=os.environ,
        tables=[table],
        instance=None if own else plain(table.name or ""),
        single_service=False,
    )
    found.notices += _rivals_notice(plugin, services_named(plugin.tapname))
    return found
