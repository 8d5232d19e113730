"""Nested tables and secrets that cannot be: one line for the author of the service."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from twisted.internet.protocol import ServerFactory

from socketsuite.daemon.config.groups import groups_of
from socketsuite.plugin import ServicePlugin
from socketsuite.settings import DeclarationError, setting, settings_of
from socketsuite.settings import settings_table as table


@dataclass(eq=False)
class Upstream:
    port: int = setting(9000, "its port")


@dataclass(eq=False)
class Needy:
    host: str = setting(help="where it is")


@dataclass(eq=False)
class Deep:
    inner: Upstream = table()


@dataclass(eq=False)
class TooDeep(ServerFactory):
    deep: Deep = table()


@dataclass(eq=False)
class Undeclared(ServerFactory):
    inner: Path = table()


@dataclass(eq=False)
class Optional(ServerFactory):
    inner: Upstream | None = table()


@dataclass(eq=False)
class Flat(ServerFactory):
    inner: Needy = table()
    inner_host: str = setting("")


@dataclass(eq=False)
class Host:
    b_host: str = setting("")


@dataclass(eq=False)
class Crossed(ServerFactory):
    a_b: Needy = table()
    a: Host = table()


@dataclass(eq=False)
class B:
    b: str = setting("")


@dataclass(eq=False)
class Named(ServerFactory):
    a_b: Needy = table()
    a: B = table()


@dataclass(eq=False)
class Listen(ServerFactory):
    listen: Needy = table()


@dataclass(eq=False)
class Certificate:
    cert: str = setting("")


@dataclass(eq=False)
class TLS(ServerFactory):
    tls: Certificate = table()


@dataclass(frozen=True)
class Fixed:
    host: str = setting("", reload=True)


@dataclass(eq=False)
class Frozen(ServerFactory):
    inner: Fixed = table()


class Forgotten:
    host: str = setting("")


@dataclass(eq=False)
class Undecorated(ServerFactory):
    inner: Forgotten = table()


@dataclass(eq=False)
class Alone(ServerFactory):
    open: bool = setting(False, needs="door")


@dataclass(eq=False)
class Mistaken(ServerFactory):
    inner: Upstream = setting()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("TooDeep", "TooDeep.deep: Deep.inner would be a table within a table; there is one level"),
        ("Undeclared", "Undeclared.inner: settings_table() is for a dataclass that declares"),
        ("Optional", "Optional.inner: settings_table() is for a dataclass that declares"),
        ("Flat", "Flat declares the setting 'inner_host' twice"),
        ("Crossed", "Crossed declares the setting 'a_b_host' twice"),
        ("Named", "Named.a_b is a nested table, and a setting of another one has that name"),
        ("Listen", "declares the nested table 'listen', but 'listen' is a setting of every daemon"),
        ("TLS", "declares the setting 'tls_cert', but 'tls_cert' is a setting of every daemon"),
        ("Frozen", "Frozen.inner: Fixed is frozen, and has settings that a reload changes"),
        ("Undecorated", "Forgotten.host is a setting, and Forgotten is no dataclass"),
        ("Alone", "Alone.open needs 'door', and there is no such setting"),
        ("Mistaken", "settings_table() is for a dataclass of settings"),
    ],
)
def test_a_table_that_cannot_be_one_is_one_line_for_the_author(name: str, words: str) -> None:
    plugin = ServicePlugin("acme-test", f"{__name__}:{name}", port=0, description="A test")
    with pytest.raises(DeclarationError) as error:
        groups_of(plugin)
    assert str(error.value).startswith("plugin acme-test: ")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


# ── secrets ────────────────────────────────────────────────────────────────────────────────


@dataclass(eq=False)
class Taken(ServerFactory):
    token_file: str = setting("", "one that the secret needs")
    token: str = setting("", "what callers say first", secret=True)


@dataclass(eq=False)
class Reserved(ServerFactory):
    config: str = setting("", "what the daemon has taken", secret=True)


@dataclass(eq=False)
class Switch:
    on: bool = setting(False, "a switch", secret=True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Taken", "'token_file' has the name of the one that says which file holds the secret"),
        ("Reserved", "declares the setting 'config', but 'config' is the flag --config"),
    ],
)
def test_a_name_that_a_secret_cannot_have_is_one_line(name: str, words: str) -> None:
    plugin = ServicePlugin("acme-test", f"{__name__}:{name}", port=0, description="A test")
    with pytest.raises(DeclarationError) as refused:
        groups_of(plugin)
    assert str(refused.value).startswith("plugin acme-test: ")
    assert words in str(refused.value)


def test_a_secret_switch_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"Switch\.on: a switch has no value to"):
        settings_of(Switch)
