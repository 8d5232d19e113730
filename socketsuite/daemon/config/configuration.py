"""What one daemon was told: every group of settings, resolved and built.

Joins flags, environment and file for one service; opens nothing and starts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from socketsuite.daemon.config.consistency import check_needs, check_service
from socketsuite.daemon.config.frontends import FrontendConfiguration, configured
from socketsuite.daemon.config.groups import groups_of
from socketsuite.daemon.config.process_settings import ProcessSettings
from socketsuite.daemon.listen.binding import BindRequest
from socketsuite.daemon.listen.certificates import TLSSettings
from socketsuite.daemon.listen.datagram_options import DatagramSettings
from socketsuite.daemon.listen.settings import ListenSettings, TransportSettings
from socketsuite.observe.log import LogSettings
from socketsuite.policies.settings import AdmissionSettings, DatagramLimits, LimitSettings
from socketsuite.service import (
    ServiceSpecification,
    installed_services,
    parameters_of,
    speaks_datagrams,
)
from socketsuite.settings import (
    SettingsError,
    Table,
    arguments,
    environment_prefix,
    resolve,
    settings_of,
)


@dataclass(eq=False)
class Configuration:
    """One service's settings, checked.

    *own* are those that the service itself declares; *build* makes its object of them, given
    what the daemon offers, by name (the reactor, for one).  *origins* tells where each was said,
    by its name.  *listen* is what all frontends have in common, and where the first one listens.
    """

    name: str
    plugin: ServiceSpecification
    listen: ListenSettings
    transports: TransportSettings
    udp: DatagramSettings
    tls: TLSSettings
    admission: AdmissionSettings
    limits: LimitSettings
    udp_limits: DatagramLimits
    log: LogSettings
    process: ProcessSettings
    own: dict[str, Any] = field(repr=False)  # secrets are among them
    build: Callable[[Mapping[str, Any]], Any]
    frontends: list[FrontendConfiguration]
    # None until the factory is built, where only that can tell.
    datagrams: bool | None
    origins: Mapping[str, str]
    # Whether the process is this service's alone; if not, its errors say whose they are.
    single_service: bool = True
    # Lines for the operator, to be logged as warnings at the start.
    notices: list[str] = field(default_factory=list)

    @property
    def kinds(self) -> tuple[bool, bool]:
        """Whether the first frontend is served over TCP, and over UDP."""
        return self.transports.tcp, bool(self.datagrams) and self.transports.udp

    @property
    def bind_requests(self) -> list[BindRequest]:
        """What is to be bound, frontend by frontend."""
        made = []
        for one in self.frontends:
            tcp, udp = self.kinds_of(one)
            made.append(BindRequest(one.name, one.listen, tcp, udp, one.prefix, one.by_default))
        return made

    def kinds_of(self, frontend: FrontendConfiguration) -> tuple[bool, bool]:
        """Whether *frontend* is served over TCP, and over UDP."""
        if frontend is self.frontends[0]:
            return self.kinds
        stream = frontend.frontend.kind == "stream"
        return stream, not stream


def configure(
    plugin: ServiceSpecification,
    *,
    flags: Mapping[str, Any] | None,
    environ: Mapping[str, str],
    tables: Sequence[Table] = (),
    instance: str | None = None,
    single_service: bool = True,
) -> Configuration:
    """Resolve every setting of *plugin*: flag, then environment, then file, then default.

    :param flags: ``None`` where the command has no flags for them.
    :param instance: a name of its own, where one process runs the service twice.  That
        begins no environment variable: who knows whose ``HOME_…`` or ``PATH_…`` it would be.
    :param single_service: as for :func:`groups_of`.
    :raises SettingsError: for what the user got wrong, in one line.
    """
    target = plugin.load()
    groups = groups_of(plugin, single_service=single_service)
    prefix = None if instance else environment_prefix(plugin.tapname)
    if prefix is not None and not single_service:
        _refuse_process_variables(prefix, environ)
    resolved = resolve(
        (item for group in groups for item in group.settings),
        flags=flags,
        environ=environ,
        prefix=prefix,
        tables=tables,
        reserved=("config",),
        others=prefixes_beside(prefix, environ) if prefix else (),
    )
    values, origins = resolved.values, resolved.origins

    def built(group: Any) -> Any:
        return group(**{item.name: values[item.name] for item in settings_of(group)})

    own = {item.name: values[item.name] for item in settings_of(target)}
    datagrams = speaks_datagrams(plugin)
    first = plugin.frontends[0]
    no_udp = datagrams is False
    no_datagrams = no_udp and all(one.kind == "stream" for one in plugin.frontends)
    if no_udp or first.kind == "datagram":
        transports = TransportSettings(tcp=no_udp, udp=not no_udp)
    else:
        transports = built(TransportSettings)
    listen = built(ListenSettings)
    configuration = Configuration(
        name=instance or plugin.tapname,
        plugin=plugin,
        listen=listen,
        transports=transports,
        udp=DatagramSettings() if no_datagrams else built(DatagramSettings),
        tls=built(TLSSettings),
        admission=built(AdmissionSettings),
        limits=built(LimitSettings),
        udp_limits=DatagramLimits() if no_datagrams else built(DatagramLimits),
        log=built(LogSettings),
        process=built(ProcessSettings) if single_service else ProcessSettings(),
        own=own,
        build=_builder(target, own),
        frontends=[configured(plugin, one, listen, values, _builder) for one in plugin.frontends],
        datagrams=datagrams,
        origins=origins,
        single_service=single_service,
        notices=resolved.notices,
    )
    check_needs((item for group in groups for item in group.settings), values, origins)
    check_service(values, origins, [one.prefix for one in configuration.frontends])
    return configuration


def prefixes_beside(prefix: str, environ: Mapping[str, str]) -> Collection[str]:
    """Return what other installed services' variables begin with, where that could matter."""
    if not any(variable.startswith(f"{prefix}_") for variable in environ):
        return ()
    return {environment_prefix(name) for name in installed_services()}


def _refuse_process_variables(prefix: str, environ: Mapping[str, str]) -> None:
    for item in settings_of(ProcessSettings):
        variable = item.variable(prefix)
        if variable in environ:
            raise SettingsError(
                f"{variable} would be for the whole process, and several services run in it;"
                f" write {item.key} = … at the top of the file instead"
            )


def _builder(target: Callable[..., Any], values: dict[str, Any]) -> Callable[..., Any]:
    """Return what calls *target* with its settings, and what else it has parameters for."""
    accepted = parameters_of(target)

    def build(offered: Mapping[str, Any], *service: Any) -> Any:
        asked = {name: thing for name, thing in offered.items() if name in accepted}
        return target(*service, **asked, **arguments(target, values))

    return build
