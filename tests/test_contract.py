"""The contract's types fit a service that has everything, and one that no daemon serves."""

from __future__ import annotations

from dataclasses import dataclass, field

from socketsuite.contract import (
    AdminCommand,
    HasAdminCommands,
    HasHealth,
    HasMetrics,
    HasReloadService,
    HasStatusColumns,
    LogEvents,
    ignore_events,
)
from socketsuite.figures import Figures
from socketsuite.service import parameters_of


@dataclass
class Service:
    """One that a type checker takes for each of them."""

    emit: LogEvents = ignore_events
    own: Figures = field(default_factory=Figures)

    def metrics(self) -> Figures:
        return self.own

    def health(self) -> dict[str, bool | str]:
        return {"disk": True}

    def status_columns(self, protocol: Service, /) -> dict[str, int]:
        return {"n": 1}

    def reload_service(self) -> None:
        self.own = Figures()

    def admin_commands(self) -> dict[str, AdminCommand]:
        return {"go": AdminCommand(self.metrics, "Go.")}


def test_a_typed_service_has_what_the_contract_names() -> None:
    service = Service()
    metrics: HasMetrics = service
    health: HasHealth = service
    columns: HasStatusColumns = service
    commands: HasAdminCommands = service
    again: HasReloadService = service
    again.reload_service()
    assert list(metrics.metrics()) == []
    assert (health.health(), columns.status_columns(service)) == ({"disk": True}, {"n": 1})
    assert commands.admin_commands().keys() == {"go"}
    service.emit(service, level="warn")  # to nobody


def test_a_target_is_given_what_it_has_a_parameter_for() -> None:
    assert list(parameters_of(Service)) == ["emit", "own"]
    assert list(parameters_of(lambda reactor: reactor)) == ["reactor"]
