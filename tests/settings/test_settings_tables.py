"""Nested tables: settings of a dataclass within a service's, under flat names and in TOML."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.protocol import ServerFactory

from socketsuite.daemon.config.config_file import read_config
from socketsuite.daemon.config.configuration import configure
from socketsuite.daemon.config.flags import service_command
from socketsuite.daemon.config.reference import reference
from socketsuite.daemon.serve.reload import needs_restart, own_changes, tell_factory
from socketsuite.plugin import ServicePlugin
from socketsuite.settings import SettingsError, setting, settings_of
from socketsuite.settings import settings_table as table
from tests.support.sample_settings import decide, refusal


class Scheme(enum.Enum):
    HTTP = "http"
    HTTPS = "https"


@dataclass(eq=False)
class Upstream:
    host: str = setting("127.0.0.1", "where it is")
    port: int = setting(9000, "its port", minimum=1, maximum=65535, reload=True)
    scheme: Scheme = setting(Scheme.HTTP, "what it speaks")
    paths: list[str] = setting([], "what it answers", reload=True)
    token: str = setting("", "what it asks for", secret=True, reload=True)
    check: bool = setting(True, "whether it is looked after")


@dataclass(eq=False)
class Proxy(ServerFactory):
    up_stream: Upstream = table("the server behind")
    name: str = setting("proxy", "what it is called")


@dataclass(eq=False)
class Needy:
    host: str = setting(help="where it is")


@dataclass(eq=False)
class NeedsHost(ServerFactory):
    upstream: Needy = table()


PLUGIN = ServicePlugin("acme-proxy", f"{__name__}:Proxy", port=0, description="A test")


def built(text: str, folder: Path, plugin: ServicePlugin = PLUGIN) -> Any:
    """Return the factory that a daemon of its own makes of a TOML file with *text*."""
    file = folder / "proxy.toml"
    file.write_text(text)
    tables = read_config(str(file)).tables_for(plugin)
    return configure(plugin, flags={}, environ={}, tables=tables).build({})


def refused(text: str, folder: Path) -> str:
    with pytest.raises(SettingsError) as error:
        built(text, folder)
    return str(error.value).replace(f"{folder}/", "")


# ── the names ───────────────────────────────────────────────────────────────────────────


def test_every_name_of_a_nested_setting_begins_with_its_table() -> None:
    items = {item.name: item for item in settings_of(Proxy)}
    port = items["up_stream_port"]
    assert (port.flag, port.key, port.field) == ("--up-stream-port", "up-stream-port", "port")
    assert port.variable("ACME_PROXY") == "ACME_PROXY_UP_STREAM_PORT"
    assert port.help == "the server behind: its port"
    assert items["name"].help == "what it is called"


def test_help_and_reference_show_nested_settings_like_others() -> None:
    command = service_command(PLUGIN)
    flags = {flag for one in command.params for flag in (*one.opts, *one.secondary_opts)}
    wanted = {"port", "scheme", "paths", "token", "token-file", "check", "host"}
    assert {f"--up-stream-{name}" for name in wanted} <= flags
    assert "--no-up-stream-check" in flags
    cells = ("`--up-stream-port N`", "`ACME_PROXY_UP_STREAM_PORT`", "`up-stream-port`", "9000")
    assert f"| {' | '.join(cells)} |" in reference([PLUGIN])


# ── read ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "said",
    [
        {"flags": {"up_stream_port": "7"}},
        {"environ": {"ACME_UP_STREAM_PORT": "7"}},
        {"table": {"up-stream-port": 7}},
        {"table": {"up-stream": {"port": 7}}},
        {"table": {"up_stream": {"port": 7}}},
    ],
)
def test_a_nested_setting_is_said_by_flag_variable_and_toml(said: dict[str, Any]) -> None:
    assert decide(**said, group=Proxy)["up_stream_port"] == 7


@pytest.mark.parametrize(
    "text",
    [
        'name = "x"\nup-stream-host = "h"\nup-stream-paths = ["a"]\n',
        'name = "x"\n[up-stream]\nhost = "h"\npaths = ["a"]\n',
        'name = "x"\n[up_stream]\nhost = "h"\n[up-stream]\npaths = ["a"]\n',
        'name = "x"\nup-stream = { host = "h", paths = ["a"] }\n',
        '[acme-proxy]\nname = "x"\n[acme-proxy.up-stream]\nhost = "h"\npaths = ["a"]\n[echo]\n',
        '[acme-proxy]\nname = "x"\nup-stream.host = "h"\nup-stream-paths = "a"\n',
    ],
)
def test_a_service_is_handed_an_object_for_its_table(text: str, tmp_path: Path) -> None:
    factory = built(text, tmp_path)
    assert factory.name == "x"
    assert type(factory.up_stream) is Upstream
    upstream = factory.up_stream
    assert (upstream.host, upstream.port, upstream.paths) == ("h", 9000, ["a"])
    assert upstream.scheme is Scheme.HTTP


def test_a_secrets_file_is_named_in_its_table(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("said\n")
    for text in (f'[up-stream]\ntoken-file = "{secret}"', f'up-stream-token-file = "{secret}"'):
        assert built(text, tmp_path).up_stream.token == "said"


def test_lists_are_each_objects_own() -> None:
    made = configure(PLUGIN, flags={}, environ={})
    one, other = made.build({}), made.build({})
    one.up_stream.paths.append("mine")
    assert other.up_stream.paths == []
    assert configure(PLUGIN, flags={}, environ={}).own["up_stream_paths"] == []


# ── said wrongly ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            '[acme-proxy]\nup-stream-host = "a"\n[acme-proxy.up-stream]\nhost = "b"\n',
            (
                "up-stream-host is said twice (proxy.toml, table [acme-proxy], key"
                ' "up-stream-host"; proxy.toml, table [acme-proxy.up-stream], key "host")'
            ),
        ),
        (
            "[up-stream]\nprot = 1\n",
            "unknown key 'prot' (proxy.toml, table [up-stream]); did you mean 'port'?",
        ),
        (
            "[up-stream.host]\nport = 1\n",
            (
                "up-stream-host = {'port': 1} (proxy.toml, table [up-stream], key \"host\") is not"
                " valid; allowed: text"
            ),
        ),
        (
            "[acme-proxy.up-steam]\nhost = 'a'\n",
            "unknown key 'up-steam' (proxy.toml, table [acme-proxy]); did you mean 'up-stream'?",
        ),
        (
            "[up-steam]\nhost = 'a'\n",
            (
                "proxy.toml has tables for other services only; write one named 'acme-proxy' in it;"
                " did you mean 'up-stream'?"
            ),
        ),
        (
            "[acme-proxy]\n[up-stream]\nhost = 'a'\n",
            (
                "proxy.toml, table [up-stream] is no service's; for acme-proxy, write"
                " [acme-proxy.up-stream]"
            ),
        ),
        (
            "[acme-proxy]\nup-stream = 'hunter2'\n",
            (
                'up-stream (proxy.toml, table [acme-proxy], key "up-stream") is a table: write'
                " [acme-proxy.up-stream], once, and its keys below"
            ),
        ),
        (
            "[[up-stream]]\nhost = 'a'\n",
            "proxy.toml has a list of tables [[up-stream]]; write [up-stream], once",
        ),
        (
            "[up-stream]\nscheme = 'htps'\n",
            (
                "up-stream-scheme = 'htps' (proxy.toml, table [up-stream], key \"scheme\") is not"
                " valid; allowed: http, https; did you mean 'https'?"
            ),
        ),
        (
            "[up-stream]\ntoken = 5\n",
            (
                'up-stream-token (proxy.toml, table [up-stream], key "token") is not valid;'
                " allowed: text"
            ),
        ),
    ],
)
def test_a_mistake_in_a_table_names_file_table_and_key(
    text: str, line: str, tmp_path: Path
) -> None:
    assert refused(text, tmp_path) == line


def test_a_table_that_is_another_run_of_a_service_is_left_to_that(tmp_path: Path) -> None:
    with_another = "[acme-proxy]\nname = 'x'\n[up-stream]\nservice = 'echo'\nport = 7\n"
    assert built(with_another, tmp_path).name == "x"


def test_a_needed_nested_setting_says_how_it_is_given() -> None:
    assert refusal(table={}, group=NeedsHost) == (
        "upstream-host is needed: say --upstream-host TEXT or write upstream-host = … in"
        " acme.toml or set ACME_UPSTREAM_HOST (where it is)"
    )


# ── a reload ────────────────────────────────────────────────────────────────────────────


def test_a_reload_changes_the_object_of_the_table_and_tells_the_flat_name() -> None:
    told: list[dict[str, Any]] = []
    before = configure(PLUGIN, flags={}, environ={})
    factory = before.build({})
    factory.settings_reloaded = told.append
    upstream, paths = factory.up_stream, ["a"]
    flags = {"up_stream_port": "7", "up_stream_host": "h", "up_stream_paths": paths}
    after = configure(PLUGIN, flags=flags, environ={})
    assert needs_restart(before, after) == ["up-stream-host"]
    changed = own_changes(before, after)
    changed.pop("up_stream_host")
    tell_factory(factory, changed)
    assert told == [{"up_stream_port": 7, "up_stream_paths": ["a"]}]
    assert factory.up_stream is upstream
    assert (upstream.port, upstream.paths) == (7, ["a"])
    assert not hasattr(factory, "up_stream_port")
    # A list that the service changes is no change of the settings.
    upstream.paths.append("b")
    assert after.own["up_stream_paths"] == ["a"]


# ── the document ────────────────────────────────────────────────────────────────────────


def test_what_the_document_shows_is_a_service_that_takes_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [page.read_text() for page in (Path(__file__).parents[2] / "docs").glob("*.md")]
    (page,) = [page for page in pages if "## Secrets and nested tables\n" in page]
    section = page.partition("## Secrets and nested tables\n")[2].partition("\n## ")[0]
    code, text = re.findall(r"```(?:python|toml)\n(.*?)```", section, re.S)
    (tmp_path / "acme_shown.py").write_text(code)
    (tmp_path / "token").write_text("said\n")
    monkeypatch.syspath_prepend(tmp_path)
    target = "acme_shown:ProxyFactory"
    plugin = ServicePlugin("acme-proxy", target, port=0, description="As shown")
    factory = built(text.replace("/run/secrets/token", str(tmp_path / "token")), tmp_path, plugin)
    assert (factory.token, factory.upstream.host) == ("said", "192.0.2.7")
    tell_factory(factory, {"upstream_port": 9001})
    assert factory.upstream.port == 9001
