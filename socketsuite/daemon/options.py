"""The command line of a twistd command, made from declared settings.

twistd asks for its own kind of options object; inside it, click parses, suggests and
prints help.  A mistake is one line on standard error and exit status 2.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
from twisted.logger import Logger
from twisted.python.usage import Options

from socketsuite import __version__
from socketsuite.daemon.configuration import (
    Configuration,
    SettingsGroup,
    configure,
    groups_of,
    read_toml,
    table_for,
)
from socketsuite.plugin import ServicePlugin, installed_plugins
from socketsuite.settings import Setting, SettingsError, environment_prefix, nearest

_TWISTD_PIDFILE = "twistd.pid"


class _TwistdOptions(Options):
    """What twistd needs of a command's options, around one click command."""

    configurations: list[Configuration]

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse, resolve every setting, and exit with one line where that fails."""
        arguments = list(sys.argv[1:] if options is None else options)
        try:
            command = self.command()
            said: dict[str, Any] = command.main(
                arguments, prog_name=f"twistd {self.name}", standalone_mode=False
            )
            if not isinstance(said, dict):
                sys.exit(0)  # --help or --version has spoken
            self.configurations = self.resolve(said)
        except click.ClickException as error:
            self._refuse(error.format_message())
        except click.Abort:
            sys.exit(130)
        except (SettingsError, ImportError) as error:
            self._refuse(str(error))
        self._unshare_pidfile()

    def command(self) -> click.Command:
        """Return the click command that parses this command line."""
        raise NotImplementedError

    def resolve(self, said: dict[str, Any]) -> list[Configuration]:
        """Return the configuration of every service to start."""
        raise NotImplementedError

    def _refuse(self, message: str) -> NoReturn:
        line = " ".join(message.split())
        sys.stderr.write(f"{self.name}: {line}; see twistd {self.name} --help\n")
        sys.exit(2)

    def _unshare_pidfile(self) -> None:
        """Write no pid file unless one was asked for.

        twistd writes ``twistd.pid`` into the current folder, and a second daemon started
        there would refuse to run.
        """
        parent: Any = getattr(self, "parent", None)
        if parent is None or parent.get("pidfile") != _TWISTD_PIDFILE:
            return
        if not any(argument.startswith("--pidfile") for argument in sys.argv):
            parent["pidfile"] = ""

    def refuse_start(self, message: str) -> NoReturn:
        """End with exit status 1, and say why in one line to whoever started us."""
        parent: Any = getattr(self, "parent", None) or {}
        waiting = parent.get("statusPipe")
        if waiting is None:
            # Not sys.stderr, which twistd has given to its log by now.
            os.write(2, f"{self.name}: {message}\n".encode())
        else:
            # Our terminal is gone; twistd's first process waits here for two characters
            # and a word of at most 98 bytes, prints it and exits 1.
            Logger(namespace=self.name).error("{message}", message=message)
            os.write(waiting, b"1 " + message.encode()[:98])
        if parent.get("pidfile"):
            with contextlib.suppress(OSError):
                os.unlink(parent["pidfile"])
        sys.exit(1)

    @property
    def logs_to_stdout(self) -> bool:
        """Whether twistd would write its log to standard output, and no option says how."""
        parent: Any = getattr(self, "parent", None)
        if parent is None or not parent["nodaemon"]:
            return False
        said = any(parent.get(option) for option in ("logger", "syslog"))
        return not said and parent.get("logfile") in (None, "", "-")


class DaemonOptions(_TwistdOptions):
    """The options of one service's command."""

    def __init__(self, plugin: ServicePlugin) -> None:
        super().__init__(plugin.tapname)
        self.plugin = plugin

    def command(self) -> click.Command:
        """Return the click command with a flag for every setting."""
        return _command(self.plugin, groups_of(self.plugin))

    def resolve(self, said: dict[str, Any]) -> list[Configuration]:
        """Return the one configuration, from flags, environment and ``--config``."""
        prefix = environment_prefix(self.plugin.tapname)
        config = said.pop("config") or os.environ.get(f"{prefix}_CONFIG")
        table, origin = None, ""
        if config:
            path = Path(config)
            table, origin = table_for(self.plugin, read_toml(path), path), config
        return [
            configure(self.plugin, flags=said, environ=os.environ, table=table, table_origin=origin)
        ]


class SuiteOptions(_TwistdOptions):
    """The options of the command that runs several services from one file."""

    def command(self) -> click.Command:
        """Return the click command; all else is said in the file."""
        return click.Command(
            self.name,
            callback=lambda **said: said,
            params=[_config_option(), _version_option()],
            context_settings={"help_option_names": ["-h", "--help"]},
            help=(
                "Run several services in one process.\n\n"
                "The file holds one table for each service, with the settings that its own"
                " command takes: [chat], [echo], [acme-rot13]. To run a service twice, give"
                ' the second table any name and say which service it is: service = "chat".'
            ),
        )

    def resolve(self, said: dict[str, Any]) -> list[Configuration]:
        """Return one configuration for each table of the file."""
        path = said["config"] or os.environ.get(f"{environment_prefix(self.name)}_CONFIG")
        if not path:
            raise SettingsError("--config FILE.toml is needed: it says which services to run")
        document = read_toml(Path(path))
        if not document:
            raise SettingsError(f"{path} names no service; write a table such as [chat]")
        plugins = installed_plugins()
        found = [_from_table(name, table, path, plugins) for name, table in document.items()]
        names = [one.name for one in found]
        for name in names:
            if names.count(name) > 1:
                raise SettingsError(
                    f"two tables of {path} are {name!r}; give the second one a name of its own"
                    f' and say service = "{name.removeprefix("socketsuite-")}" in it'
                )
        return found


def _from_table(
    name: str, table: Any, path: str, plugins: dict[str, ServicePlugin]
) -> Configuration:
    if not isinstance(table, dict):
        raise SettingsError(
            f"{name!r} = {table!r} ({path}) stands outside of a service's table, such as [chat]"
        )
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
    flags = [_option(item, plugin) for group in groups for item in group.settings]
    command = _GroupedCommand(
        plugin.tapname,
        callback=lambda **said: {name: value for name, value in said.items() if value != ()},
        params=[*flags, _config_option(), _version_option()],
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


def _option(item: Setting, plugin: ServicePlugin) -> click.Option:
    default = item.default_text
    if item.name == "port":
        default = str(plugin.port)
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


def _config_option() -> click.Option:
    return click.Option(["--config"], metavar="FILE.toml", help="read settings from this file")


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
