"""The command line of a twistd command, made from declared settings.

click parses, suggests and prints help; ``configuration`` decides what it comes to.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from socketsuite import __version__
from socketsuite.daemon.configuration import (
    Configuration,
    SettingsGroup,
    configure,
    groups_of,
    read_toml,
    table_for,
)
from socketsuite.daemon.process_settings import ProcessSettings
from socketsuite.daemon.twistd import TwistdOptions
from socketsuite.plugin import ServicePlugin, installed_plugins
from socketsuite.settings import (
    Setting,
    SettingsError,
    environment_prefix,
    nearest,
    resolve,
    settings_of,
)


class DaemonOptions(TwistdOptions):
    """The options of one service's command."""

    def __init__(self, plugin: ServicePlugin) -> None:
        super().__init__(plugin.tapname)
        self.plugin = plugin

    def command(self) -> click.Command:
        """Return the click command with a flag for every setting."""
        return _command(self.plugin, groups_of(self.plugin))

    def resolve(self, said: Mapping[str, Any]) -> tuple[list[Configuration], ProcessSettings]:
        """Return the one configuration, from flags, environment and ``--config``."""
        prefix = environment_prefix(self.plugin.tapname)
        config = said["config"] or os.environ.get(f"{prefix}_CONFIG")
        table, origin = None, ""
        if config:
            path = Path(config)
            table, origin = table_for(self.plugin, read_toml(path), path), config
        found = configure(
            self.plugin, flags=said, environ=os.environ, table=table, table_origin=origin
        )
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
                " The flags below can also stand at the top of the file."
            ),
        )

    def resolve(self, said: Mapping[str, Any]) -> tuple[list[Configuration], ProcessSettings]:
        """Return one configuration for each table of the file, and the process's own."""
        prefix = environment_prefix(self.name)
        path = said["config"] or os.environ.get(f"{prefix}_CONFIG")
        if not path:
            raise SettingsError("--config FILE.toml is needed: it says which services to run")
        document = read_toml(Path(path))
        tables = {name: value for name, value in document.items() if isinstance(value, dict)}
        process = self._process(said, prefix, document, path)
        if not tables:
            raise SettingsError(f"{path} names no service; write a table such as [chat]")
        plugins = installed_plugins()
        found = [_from_table(name, table, path, plugins) for name, table in tables.items()]
        names = [one.name for one in found]
        for name in names:
            if names.count(name) > 1:
                raise SettingsError(
                    f"two tables of {path} are {name!r}; give the second one a name of its own"
                    f' and say service = "{name.removeprefix("socketsuite-")}" in it'
                )
        return found, process

    def _process(
        self, said: Mapping[str, Any], prefix: str, document: Mapping[str, Any], path: str
    ) -> ProcessSettings:
        """Return the process's settings: flags, environment, the top of the file."""
        own = settings_of(ProcessSettings)
        top = {key: value for key, value in document.items() if not isinstance(value, dict)}
        known = {item.key for item in own}
        for key, value in top.items():
            if key.replace("_", "-") not in known:
                raise SettingsError(
                    f"{key!r} = {value!r} ({path}) stands outside of a service's table, such as"
                    f" [chat]{nearest(key, known)}"
                )
        # Every service's variables begin as ours do, so only known names are ours.
        ours = {item.variable(prefix) for item in own}
        environ = {name: value for name, value in os.environ.items() if name in ours}
        values = resolve(
            own, flags=said, environ=environ, prefix=prefix, table=top, table_origin=path
        )
        return ProcessSettings(**values)


def _from_table(
    name: str, table: Mapping[str, Any], path: str, plugins: dict[str, ServicePlugin]
) -> Configuration:
    table = dict(table)
    wanted = table.pop("service", name)
    plugin = None
    if isinstance(wanted, str):
        plugin = plugins.get(wanted) or plugins.get(f"socketsuite-{wanted}")
    if plugin is None:
        short = [known.removeprefix("socketsuite-") for known in plugins]
        raise SettingsError(
            f"no service is called {wanted!r} (table {name!r} in {path})"
            f"{nearest(str(wanted), short)}"
        )
    # A name that somebody made up begins no environment variable of ours: who knows whose
    # HOME_… or PATH_… it would be.
    own = wanted == name
    return configure(
        plugin,
        flags={},
        environ=os.environ if own else {},
        table=table,
        table_origin=f"table {name!r} in {path}",
        instance=plugin.tapname if own else name,
        alone=False,
    )


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


def _command(plugin: ServicePlugin, groups: list[SettingsGroup]) -> click.Command:
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
    if item.kind is bool and item.parse is None:
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
