"""The way in: listing the commands costs nothing, and a wrong plugin says what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.protocol import ServerFactory

from socketsuite.daemon.config.command_line import DaemonOptions
from socketsuite.daemon.config.configuration import configure
from socketsuite.daemon.config.groups import groups_of
from socketsuite.plugin import ServicePlugin
from socketsuite.service import installed_services, load_target
from socketsuite.settings import DeclarationError, setting

LIST_THE_COMMANDS = """
import json, sys
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
import twisted.plugins.socketsuite_plugins
names = [plugin.tapname for plugin in getPlugins(IServiceMaker)]
print(json.dumps([names, sorted(sys.modules)]))
"""


@dataclass(eq=False)
class GreedyFactory(ServerFactory):
    backlog: int = setting(1, "a name that the daemon has taken")


@dataclass(eq=False)
class ConfigFactory(ServerFactory):
    config: str = setting("", "another")


@dataclass(eq=False)
class ClockedFactory(ServerFactory):
    reactor: Any
    rate: int = setting(1, "how often")


def plugin_of(name: str) -> ServicePlugin:
    return ServicePlugin("acme-test", f"{__name__}:{name}", port=0, description="A test")


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[str]]:
    """The commands as a fresh process lists them, and every module that it imported for that."""
    done = subprocess.run(
        [sys.executable, "-c", LIST_THE_COMMANDS],
        cwd=tmp_path_factory.mktemp("listing"),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    names, modules = json.loads(done.stdout)
    return names, modules


def test_listing_the_commands_imports_no_reactor(listing: tuple[list[str], list[str]]) -> None:
    names, modules = listing
    assert "socketsuite-chat" in names
    assert "twisted.internet.reactor" not in modules


def test_of_the_suite_listing_the_commands_imports_the_way_in_alone(
    listing: tuple[list[str], list[str]],
) -> None:
    ours = [name for name in listing[1] if name.partition(".")[0] in ("socketsuite", "acme")]
    way_in = ["loading", "plugin", "service"]
    assert ours == ["socketsuite", *(f"socketsuite.{name}" for name in way_in)]


def test_every_installed_plugin_names_a_factory_that_is_there() -> None:
    plugins = installed_services()
    assert len(plugins) >= 10
    for plugin in plugins.values():
        first = plugin.frontends[0].target or plugin.target
        target = load_target(first, "a plugin")
        assert callable(target)
        if isinstance(target, type):  # else a function that returns one
            assert issubclass(target, ServerFactory)


@pytest.mark.parametrize(
    ("target", "cause"),
    [
        ("acme.nowhere:Factory", "No module named 'acme.nowhere'"),
        ("socketsuite.settings:Nothing", "has no attribute 'Nothing'"),
        ("socketsuite.settings", "has no attribute ''"),
        ("", "Empty module name"),
    ],
)
def test_a_wrong_target_is_one_line_that_names_command_target_and_cause(
    target: str, cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin = ServicePlugin("acme-test", target, port=0, description="A test")
    with pytest.raises(SystemExit) as end:
        DaemonOptions(plugin).parseOptions([])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"acme-test: plugin acme-test cannot load {target}: ")
    assert cause in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "setting_name"), [("GreedyFactory", "backlog"), ("ConfigFactory", "config")]
)
def test_a_setting_whose_name_the_daemon_has_taken_is_one_line_naming_it(
    name: str, setting_name: str
) -> None:
    with pytest.raises(
        DeclarationError, match=rf"{name} declares the setting '{setting_name}', but"
    ):
        groups_of(plugin_of(name))


def test_a_factory_that_asks_for_the_reactor_is_handed_it_beside_its_settings() -> None:
    chosen = configure(plugin_of("ClockedFactory"), flags={"rate": "3"}, environ={})
    reactor = object()
    factory = chosen.build({"reactor": reactor, "unasked": 1})
    assert (factory.reactor, factory.rate) == (reactor, 3)


def test_the_plugins_own_port_is_used_where_nobody_says_where_to_listen(tmp_path: Path) -> None:
    plugin = ServicePlugin("acme-test", f"{__name__}:ClockedFactory", port=9100, description="")
    unsaid = configure(plugin, flags={}, environ={})
    unix = configure(plugin, flags={"unix": str(tmp_path / "socket")}, environ={})
    assert unsaid.listen.port == (9100,)
    assert unix.listen.port == ()


def test_a_plugin_brings_defaults_of_its_own_for_the_daemon(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plugin = ServicePlugin(
        "acme-test",
        "tests.test_plugin:ServerFactory",
        port=9100,
        description="A test",
        defaults={"send-queue": "4M", "transport": "twisted", "idle-timeout": 5},
    )
    configured = configure(plugin, flags={"idle_timeout": "7"}, environ={})
    assert configured.limits.send_queue == 4 << 20
    assert configured.listen.transport == "twisted"
    assert configured.limits.idle_timeout == 7.0
    plugin.options().command().main(["--help-all"], standalone_mode=False)
    assert "[default: 4M]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("defaults", "words"),
    [
        ({"send-quue": "4M"}, "did you mean 'send-queue'"),
        ({"port": 9}, "no setting of every daemon"),
        ({"send-queue": "much"}, "a number of bytes"),
    ],
)
def test_wrong_defaults_are_told_to_the_plugins_author(
    defaults: dict[str, Any], words: str
) -> None:
    plugin = ServicePlugin(
        "acme-test",
        "tests.test_plugin:ServerFactory",
        port=9100,
        description="A test",
        defaults=defaults,
    )
    with pytest.raises(DeclarationError, match=words):
        configure(plugin, flags={}, environ={})
