"""The flags of a twistd command, made from declared settings, and its help.

click parses, suggests and prints.  Must not know what a setting's value comes to.
"""

from __future__ import annotations

from collections.abc import Iterable

import click

from socketsuite import __version__
from socketsuite.daemon.config.groups import SettingsGroup, groups_of
from socketsuite.daemon.config.process_settings import ProcessSettings
from socketsuite.service import ServiceSpecification
from socketsuite.settings import Setting, environment_prefix, settings_of

# What ``--help`` shows beside the service's own settings; ``--help-all`` shows all of them.
MOST_USED = (
    *(
        "port",
        "tls_port",
        "interface",
        "unix",
        "tcp",
        "udp",
        "tls_cert",
        "tls_key",
        "max_connections",
    ),
    *("idle_timeout", "drain_timeout", "log_format", "log_to", "metrics_port", "admin"),
)
_ALL = f"{__name__}.all"


class ServiceCommand(click.Command):
    """The command of one service; ``--help-all`` shows each group under its own heading.

    :ivar groups: the settings that its flags are made of.
    """

    groups: list[SettingsGroup]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group, or for those most used, and the general options last."""
        named = {item.name for group in self.groups for item in group.settings}
        if _ALL in ctx.meta:
            for group in self.groups:
                self._section(ctx, formatter, group.title, (s.name for s in group.settings))
        else:
            own = set()
            for group in self.groups:
                if group.of_service:
                    names = {item.name for item in group.settings}
                    self._section(ctx, formatter, group.title, names)
                    own |= names
            most_used = named.intersection(MOST_USED) - own
            self._section(
                ctx, formatter, f"Most used (--help-all has all {len(named)} settings)", most_used
            )
        rest = [param.name or "" for param in self.get_params(ctx) if param.name not in named]
        self._section(ctx, formatter, "General", rest)

    def _section(
        self, ctx: click.Context, formatter: click.HelpFormatter, title: str, names: Iterable[str]
    ) -> None:
        wanted = set(names)
        params = [param for param in self.get_params(ctx) if param.name in wanted]
        rows = [record for param in params if (record := param.get_help_record(ctx))]
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def service_command(plugin: ServiceSpecification) -> ServiceCommand:
    """Return the command of *plugin*, with a flag for every setting.

    :raises DeclarationError: when the service declares a setting that cannot be one.
    """
    groups = groups_of(plugin)
    prefix = environment_prefix(plugin.tapname)
    flags = [_option(item, plugin.port) for group in groups for item in group.settings]
    command = ServiceCommand(
        plugin.tapname,
        callback=lambda **said: {name: value for name, value in said.items() if value != ()},
        params=[*flags, *_general_options(), _help_all_option()],
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        help=f"{plugin.description}.",
        epilog=(
            f"Every setting can also be an environment variable ({prefix}_PORT=…, several values"
            f" separated by commas) or a key in a TOML file (port = …). A flag wins over the"
            f" environment, which wins over the file. SECONDS may have units: 250ms, 90s, 5m,"
            f" 1h30m.\n\nExample: twistd -n {plugin.tapname} --port {plugin.port or 9000}"
        ),
    )
    command.groups = groups
    return command


def suite_command(name: str) -> click.Command:
    """Return the command that runs several services; all but the process is said in the file."""
    return click.Command(
        name,
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


def _option(item: Setting, port: int = 0) -> click.Option:
    default = item.default_text
    if item.name == "port":
        default = str(port)
    note = f"  [default: {default}]" if default else "  [required]" if item.required else ""
    if item.switch:
        return click.Option(
            [f"{item.flag}/--no-{item.key}", item.name], default=None, help=item.flag_help + note
        )
    return click.Option(
        [item.flag, item.name],
        type=str,
        default=None,
        multiple=item.multiple,
        metavar=item.placeholder,
        help=item.flag_help + note,
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


def _help_all_option() -> click.Option:
    def show(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta[_ALL] = True
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()

    return click.Option(
        ["--help-all"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=show,
        help="show every setting and exit",
    )
