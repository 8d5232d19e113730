"""The command line of a twistd command, made from declared settings.

click parses, suggests and prints help; ``configuration`` decides what it comes to.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import click

from socketsuite import __version__
from socketsuite.daemon.config.config_file import ConfigFile, is_of_process, read_config
from socketsuite.daemon.config.configuration import (
    Configuration,
    SettingsGroup,
    configure,
    groups_of,
    prefixes_beside,
)
from socketsuite.daemon.config.consistency import check_together
from socketsuite.daemon.config.process_settings import ProcessSettings
from socketsuite.daemon.config.twistd import TwistdOptions
from socketsuite.daemon.listen.inherited import start_environment
from socketsuite.service import ServiceSpecification, installed_services, services_named
from socketsuite.settings import (
    Setting,
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
        return _command(self.plugin, groups_of(self.plugin))

    def resolve(self, said: Mapping[str, Any]) -> tuple[list[Configuration], ProcessSettings]:
        """Return the one configuration, from flags, environment and ``--config``."""
        path = _config_path(said, environment_prefix(self.plugin.tapname))
        tables = read_config(path).tables_for(self.plugin) if path is not None else ()
        found = configure(self.plugin, flags=said, environ=os.environ, tables=tables)
        found.notices = _rivals_notice(self.plugin, self.rivals)
        _check_together([found], found.process)
        return [found], found.process


class SuiteOptions(TwistdOptions):
    """The options of the command that runs several services from one file."""

    def command(self) -> click.Command:
        """Return the click command; all else is said in the file."""
        return click.Command(
            self.name,
            callback=lambda **said: said,
            params=[*map(_option, settings_of(ProcessSettings)), *_general_options()],
            context_settings={"help_option_names": ["-h", "--help"]},
            help=(
                "Run several services in one process.\n\n"
                "The file holds one table for each service, with the settings that its own"
                " command takes: [chat], [echo], [acme-rot13]. To run a service twice, give"
                ' the second table any name and say which service it is: service = "chat".'
                " The flags below can also stand at the top of the file, above the first table."
            ),
        )

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
        alone=False,
    )
    found.notices = _rivals_notice(plugin, services_named(plugin.tapname))
    return found


class _GroupedCommand(click.Command):
    """A command whose help shows each group of settings under its own heading."""

    groups: list[SettingsGroup]
    environment: str

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section for each group, and the general options last."""
        by_name = {param.name: param for param in self.params}
        for group in self.groups:
            self._section(ctx, formatter, group.title, [by_name[s.name] for s in group.settings])
        named = {s.name for group in self.groups for s in group.settings}
        rest = [param for param in self.get_params(ctx) if param.name not in named]
        self._section(ctx, formatter, "General", rest)

    @staticmethod
    def _section(
        ctx: click.Context,
        formatter: click.HelpFormatter,
        title: str,
        params: list[click.Parameter],
    ) -> None:
        rows = [record for param in params if (record := param.get_help_record(ctx))]
        with formatter.section(title):
            formatter.write_dl(rows)


def _command(plugin: ServiceSpecification, groups: list[SettingsGroup]) -> click.Command:
    prefix = environment_prefix(plugin.tapname)
    flags = [_option(item, plugin.port) for group in groups for item in group.settings]
    command = _GroupedCommand(
        plugin.tapname,
        callback=lambda **said: {name: value for name, value in said.items() if value != ()},
        params=[*flags, *_general_options()],
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        help=f"{plugin.description}.",
        epilog=(
            f"Every setting can also be an environment variable ({prefix}_PORT=…, several values"
            f" separated by commas) or a key in a TOML file (port = …). A flag wins over the"
            f" environment, which wins over the file.\n\nExample: twistd -n {plugin.tapname}"
            f" --port {plugin.port or 9000}"
        ),
    )
    command.groups = groups
    return command


def _option(item: Setting, port: int = 0) -> click.Option:
    default = item.default_text
    if item.name == "port":
        default = str(port)
    note = f"  [default: {default}]" if default else "  [required]" if item.required else ""
    if item.switch:
        return click.Option(
            [f"{item.flag}/--no-{item.key}", item.name], default=None, help=item.help + note
        )
    return click.Option(
        [item.flag, item.name],
        type=str,
        default=None,
        multiple=item.multiple,
        metavar=item.placeholder,
        help=item.help + note,
    )


def _general_options() -> list[click.Option]:
    return [
        click.Option(["--config"], metavar="FILE.toml", help="read settings from this file"),
        click.Option(
            ["--check-config"],
            is_flag=True,
            help="check the settings and the files they name, and exit",
        ),
        _version_option(),
    ]


def _version_option() -> click.Option:
    def show(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value:
            click.echo(f"socketsuite {__version__}")
            ctx.exit()

    return click.Option(
        ["--version"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=show,
        help="show the version and exit",
    )
