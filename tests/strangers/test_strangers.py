"""Other people's factories under the daemon, unchanged: real clients, every listener, a drain.

One process serves a family of factories, each by all of its listeners, on one of the transports.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from socketsuite.testing import Daemon
from tests.strangers.matrix import FAMILIES, ROOT, written
from tests.strangers.subject import TRANSPORTS, Fault, Listener, Stranger
from tests.support.admin import asked, figures, until
from tests.support.peers import program
from tests.support.stranger import package

# Of stock Twisted's own transport, without --thorough: some of the families.
ON_BOTH = {"web"}


def _case(family: str, transport: str) -> Any:
    marks = [pytest.mark.xdist_group(f"{family} on {transport}")]
    if transport != "burst" and family not in ON_BOTH:
        marks.append(pytest.mark.thorough)
    return pytest.param(family, transport, marks=marks)


CASES = [_case(family, transport) for family in FAMILIES for transport in TRANSPORTS]
# How clients over TLS end too: without a close alert, or leaving something unread.
UNTIDY = ("closed_in_mid_stream", "lost")


@pytest.fixture
def daemon(folder: Path, family: str, transport: str) -> Iterator[Daemon]:
    """One process that serves every factory of *family*, by every listener of *transport*."""
    strangers = FAMILIES[family]
    for name in {each for one in strangers for each in one.programs}:
        program(name)
    for name in {each for one in strangers for each in one.packages}:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs the package {name}")
    env: dict[str, str] = {}
    tables = []
    for one in strangers:
        env = package(folder, one.source, f"acme-{one.name}")
        tables += [table(one, transport, folder, kinds) for kinds in instances(one)]
    (folder / "suite.toml").write_text("\n".join(tables))
    admin_options = ("--metrics-port", "0", "--admin", "admin")
    made = Daemon(folder, "socketsuite", "--config", "suite.toml", *admin_options, env=env)
    try:
        yield made.wait_until_ready()
    finally:
        made.kill()


def instances(one: Stranger) -> list[list[str]]:
    """Return the listeners of *one*, those together that one daemon of it can have."""
    kinds = one.listeners
    groups = [[each for each in kinds if each in ("tcp", "unix")]]
    groups += [[each] for each in kinds if each in ("tls", "proxy")]
    return [group for group in groups if group]


def instance(one: Stranger, kind: str) -> str:
    """Return the name that the service with this listener goes by."""
    return f"{one.name}-{kind}" if kind in ("tls", "proxy") else one.name


def table(one: Stranger, transport: str, folder: Path, kinds: list[str]) -> str:
    settings: dict[str, object] = {
        "service": f"acme-{one.name}",
        "interface": "127.0.0.1",
        "transport": transport,
        # Readers pause until all clients have begun, which takes a loaded machine its time.
        "write-timeout": 120,
        "user-timeout": 120,
        "drain-timeout": 18,
    }
    if kinds != ["unix"]:
        settings["port"] = 0
    if "unix" in kinds:
        settings["unix"] = str(folder / f"{one.name}.sock")
    if "tls" in kinds:
        settings["tls-cert"] = str(folder / "cert.pem")
    if "proxy" in kinds:
        settings["proxy-from"] = "127.0.0.1"
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    return "\n".join([f"[{instance(one, kinds[0])}]", *lines, ""])


def listener(daemon: Daemon, one: Stranger, kind: str, transport: str, folder: Path) -> Listener:
    def port(name: str) -> int:
        where = rf" {instance(one, kind)} listening transport={name} address=\S+ port=(\d+)"
        found = re.search(where, daemon.log)
        return int(found[1]) if found else 0

    path = folder / f"{one.name}.sock"
    own = port("tls" if kind == "tls" else "tcp")
    return Listener(kind, transport, folder, own, path, port("udp"))


def fault_of(one: Stranger, kind: str, transport: str) -> Fault | None:
    return one.faults.get((transport, kind)) or one.faults.get(("*", kind))


def is_at_fault(daemon: Daemon, one: Stranger, where: Listener, fault: Fault) -> None:
    """What the table says does not work, does not; and for the reason that it gives."""
    if not fault.seen:
        return
    start = len(daemon.lines)
    with pytest.raises(Exception):  # noqa: B017 - whatever its clients make of it
        one.talk(where)
    daemon.wait_for_line(fault.seen, start)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("family", "transport"), CASES)
def test_other_peoples_factories_are_served_unchanged_and_drained_in_mid_transfer(
    daemon: Daemon, folder: Path, family: str, transport: str
) -> None:
    works: list[tuple[Stranger, Listener]] = []
    for one in FAMILIES[family]:
        for kind in one.listeners:
            where = listener(daemon, one, kind, transport, folder)
            fault = fault_of(one, kind, transport)
            if fault is not None:
                is_at_fault(daemon, one, where, fault)
                continue
            with noted(daemon, one, where, "at work"):
                one.talk(where)
            works.append((one, where))
    an_operator_sees_them(daemon, folder, works)
    a_drain_lets_them_finish(daemon, folder, works)


def an_operator_sees_them(
    daemon: Daemon, folder: Path, works: list[tuple[Stranger, Listener]]
) -> None:
    """Each connection is logged with its end's reason, and counted."""

    until(lambda: connections(folder), lambda seen: not seen)
    seen = figures(daemon)
    for one, where in works:
        service, kind = instance(one, where.kind), where.transport_name
        labels = f'service="{service}",transport="{kind}"'
        opened = seen[f'socketsuite_connections_opened_total{{frontend="main",{labels}}}']
        assert opened > 0, (one.name, where)
        closed = rf" {service} closed transport={kind} .* reason=(\S+)"
        told = [found[1] for found in each_line(daemon, closed, int(opened))]
        allowed = {*one.reasons, *(UNTIDY if kind == "tls" else ())}
        assert set(told) <= allowed, (one.name, where, told)
        counted = sum(
            seen[
                f'socketsuite_connections_closed_total{{frontend="main",reason="{reason}",{labels}}}'
            ]
            for reason in set(told)
        )
        assert counted >= opened


def each_line(daemon: Daemon, pattern: str, count: int) -> Iterator[re.Match[str]]:
    """Return the first *count* log lines that match, once they are there."""
    start = 0
    for _ in range(count):
        found = daemon.wait_for_line(pattern, start)
        start = daemon.lines.index(found.string, start) + 1
        yield found


def a_drain_lets_them_finish(
    daemon: Daemon, folder: Path, works: list[tuple[Stranger, Listener]]
) -> None:
    """What is under way when SIGTERM comes arrives whole, and the daemon exits 0."""
    with contextlib.ExitStack() as ended:
        under_way = []
        for one, where in works:
            if one.transfer is not None:
                transfer = ended.enter_context(contextlib.closing(one.transfer(where)))
                with noted(daemon, one, where, "before the drain"):
                    next(transfer)
                under_way.append((one, where, transfer))
        expected = {(instance(one, at.kind), at.transport_name) for one, at, _ in under_way}
        until(lambda: speaking(folder), lambda seen: expected <= seen)
        daemon.send_signal(signal.SIGTERM)
        for service, _ in expected:
            daemon.wait_for_line(rf" {service} draining connections=[1-9]")
        for one, where, transfer in under_way:
            with noted(daemon, one, where, "in the drain"):
                assert list(transfer) == []
    assert daemon.wait() == 0
    for service, _ in expected:
        assert f" {service} stopped aborted=0" in daemon.log
    assert "Unhandled" not in daemon.log.partition("SIGTERM")[2]


@contextlib.contextmanager
def noted(daemon: Daemon, one: Stranger, where: Listener, when: str) -> Iterator[None]:
    """Say with an exception what it was about."""
    try:
        yield
    except Exception as error:
        daemon.send_signal(signal.SIGTERM)
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()
        error.add_note(f"{one.name} by {where}, {when}; the log:\n{daemon.log}")
        raise


def speaking(folder: Path) -> set[tuple[str, str]]:
    """Return who has been told something on an open connection, and by which transport."""
    every = connections(folder)
    return {(each["service"], each["transport"]) for each in every if each["bytes_in"]}


def connections(folder: Path) -> list[dict[str, Any]]:
    every: list[dict[str, Any]] = asked(folder / "admin")["connections"]
    return every


def test_the_table_of_factories_says_what_these_tests_try() -> None:
    """``make docs`` writes it."""
    page = ROOT / "docs" / "extending.md"
    assert page.read_text() == written(page.read_text())
