"""Secrets: read from flags, variables, TOML and files, and shown nowhere."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from twisted.internet.protocol import ServerFactory

from socketsuite.daemon.config.configuration import configure
from socketsuite.daemon.config.flags import service_command
from socketsuite.daemon.config.reference import reference
from socketsuite.plugin import ServicePlugin
from socketsuite.settings import (
    Table,
    resolve,
    setting,
    settings_of,
    with_files,
)
from tests.support.sample_settings import decide, refusal
from tools.commands import Command
from tools.completions import bash, fish, zsh
from tools.manual import daemon_page

SECRET = "hunter2"


def unhelpful(raw: Any) -> int:
    return int(raw)  # whose words quote what it was given


@dataclass(eq=False)
class Guarded(ServerFactory):
    token: str = setting(f"{SECRET}-default", "what callers say first", secret=True)
    keys: list[str] = setting([f"{SECRET}-listed"], "one for each caller", secret=True)
    pin: int | None = setting(None, "four digits", secret=True, minimum=1000, maximum=9999)
    code: int = setting(7, "a number", secret=True, parse=unhelpful)


@dataclass(eq=False)
class Needy:
    token: str = setting(help="what callers say first", secret=True)


PLUGIN = ServicePlugin("acme-test", f"{__name__}:Guarded", port=0, description="A test")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write a secret's file, which its owner alone can read, and return its path."""

    def to_file(data: bytes, mode: int = 0o600) -> str:
        path = tmp_path / "secret"
        path.write_bytes(data)
        path.chmod(mode)
        return str(path)

    return to_file


Write = Callable[..., str]

# ── read from a file ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"pass word", "pass word"),
        (b"pass word\n", "pass word"),
        (b"pass word\r\n", "pass word"),
        (b"pass word\n\n", "pass word\n"),
        (b"two\nlines", "two\nlines"),
        (b"carriage\r", "carriage\r"),
        ("ключ\n".encode(), "ключ"),
        (b"x" * 65536, "x" * 65536),
    ],
)
def test_a_file_says_a_secret_without_its_last_newline(
    write: Write, data: bytes, value: str
) -> None:
    assert decide(environ={"ACME_TOKEN_FILE": write(data)}, group=Guarded)["token"] == value


def test_flag_variable_and_key_name_the_file_alike(write: Write) -> None:
    path = write(b"said\n")
    for said in (
        {"flags": {"token_file": path}},
        {"environ": {"ACME_TOKEN_FILE": path}},
        {"table": {"token-file": path}},
        {"table": {"token_file": path}},
    ):
        got = decide(**said, group=Guarded)
        assert got["token"] == "said"
        assert "token_file" not in got


def test_a_file_of_several_secrets_has_one_a_line(write: Write) -> None:
    path = write(b"a,b\r\n\n c\n")
    assert decide(table={"keys-file": path}, group=Guarded)["keys"] == ["a,b", " c"]


def test_a_file_holds_a_secret_of_another_type_than_text(write: Write) -> None:
    assert decide(table={"pin-file": write(b"1234\n")}, group=Guarded)["pin"] == 1234


@pytest.mark.parametrize("both", ["flags", "environ", "table"])
def test_a_secret_and_its_file_from_one_source_are_an_error_that_names_both(
    both: str, write: Write
) -> None:
    path = write(b"said")
    names = {"flags": ("token", "token_file"), "environ": ("ACME_TOKEN", "ACME_TOKEN_FILE")}
    one, other = names.get(both, ("token", "token-file"))
    line = refusal(**{both: {one: SECRET, other: path}}, group=Guarded)
    shown = {
        "flags": "--token; --token-file",
        "environ": "ACME_TOKEN; ACME_TOKEN_FILE",
        "table": 'acme.toml, key "token"; acme.toml, key "token-file"',
    }
    assert line == f"token is said twice ({shown[both]})"


def test_a_flag_wins_over_a_variable_and_that_over_the_toml_file_whichever_names_a_file(
    write: Write,
) -> None:
    path, nowhere = write(b"said"), "/no/such/file"
    variable, file = {"ACME_TOKEN_FILE": path}, {"token-file": nowhere}
    assert decide({"token": "flag"}, variable, file, group=Guarded)["token"] == "flag"
    assert decide({}, variable, {"token": "other"}, group=Guarded)["token"] == "said"
    assert decide({}, {"ACME_TOKEN": "variable"}, file, group=Guarded)["token"] == "variable"


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "it is empty"),
        (b"\n", "it is empty"),
        (SECRET.encode() + b"\0", "it has a zero byte"),
        (SECRET.encode() + b"\xff", "it is not UTF-8"),
        (SECRET.encode() * 10_000, "it is larger than 64 KiB"),
        (b"x" * 65537, "it is larger than 64 KiB"),
    ],
)
def test_a_file_that_can_be_no_secret_is_a_line_with_path_variable_and_cause(
    write: Write, data: bytes, cause: str
) -> None:
    path = write(data)
    line = refusal(environ={"ACME_TOKEN_FILE": path}, group=Guarded)
    assert line == f"cannot read {path} (ACME_TOKEN_FILE): {cause}"


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, cause in [
        (tmp_path / "pipe", "it is not a regular file"),
        (Path("/dev/zero"), "it is not a regular file"),
        (tmp_path, "is a directory"),
        (tmp_path / "none", "no such file or directory"),
    ]:
        line = refusal(flags={"token_file": str(path)}, group=Guarded)
        assert line == f"cannot read {path} (--token-file): {cause}"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o444])
def test_a_file_that_every_user_can_read_is_noticed_and_read(write: Write, mode: int) -> None:
    path = write(b"said", mode)
    found = configure(PLUGIN, flags={}, environ={"ACME_TEST_TOKEN_FILE": path})
    assert found.own["token"] == "said"
    noticed = [
        f"every user of this machine can read {path} (ACME_TEST_TOKEN_FILE), a secret; chmod o-r it"
    ]
    assert found.notices == (noticed if mode & 0o004 else [])


def test_a_needed_secret_says_how_it_is_given() -> None:
    assert refusal(group=Needy) == (
        "token is needed: say --token TEXT or set ACME_TOKEN (what callers say first)"
    )


# ── shown nowhere ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "said",
    [
        {"flags": {"token": f"{SECRET}\udcff"}},
        {"flags": {"pin": SECRET}},
        {"flags": {"code": SECRET}},
        {"flags": {"keys": ["good", f"{SECRET}\udcff"]}},
        {"environ": {"ACME_PIN": SECRET}},
        {"environ": {"ACME_CODE": SECRET}},
        {"environ": {"ACME_TOKN": SECRET}},
        {"table": {"token": [SECRET]}},
        {"table": {"token": {"value": SECRET}}},
        {"table": {"keys": {SECRET: 1}}},
        {"table": {"pin": SECRET}},
        {"table": {"code": SECRET}},
        {"table": {"code": [SECRET]}},
        {"table": {"tokn": SECRET}},
        {"table": {"token-file": [SECRET]}},
        {"table": {"pin": 123}},
    ],
)
def test_no_error_shows_what_was_said_of_a_secret(said: dict[str, Any]) -> None:
    line = refusal(**said, group=Guarded)
    assert SECRET not in line
    assert "123" not in line


def test_a_file_with_an_ill_typed_secret_is_named_without_what_it_holds(write: Write) -> None:
    path = write(SECRET.encode())
    line = refusal(environ={"ACME_PIN_FILE": path}, group=Guarded)
    assert line == (
        f"pin (ACME_PIN_FILE {path}) is not valid; allowed: a whole number from 1000 to 9999"
    )


def test_no_object_shows_a_secret_of_itself() -> None:
    fields = [field.metadata for field in dataclasses.fields(Guarded)]
    items = with_files(settings_of(Guarded))
    resolved = resolve(items, flags={}, environ={}, prefix="ACME", tables=[Table({}, "x")])
    configuration = configure(PLUGIN, flags={"token": SECRET}, environ={})
    factory = configuration.build({})
    assert factory.token == SECRET
    for shown in (fields, items, resolved, configuration, factory):
        assert SECRET not in repr(shown)


def texts() -> dict[str, str]:
    command = service_command(PLUGIN)
    listed = [Command(PLUGIN.tapname, command)]
    return {
        "--help": CliRunner().invoke(command, ["--help"]).output,
        "--help-all": CliRunner().invoke(command, ["--help-all"]).output,
        "reference": reference([PLUGIN]),
        "manual": daemon_page(listed[0]).replace("\\-", "-"),
        "bash": bash("twistd", listed),
        "fish": fish("twistd", listed).replace("-l ", "--"),
        "zsh": zsh("twistd", listed),
    }


@pytest.mark.parametrize("where", texts())
def test_no_text_about_a_service_shows_a_secret_default(where: str) -> None:
    text = texts()[where]
    assert "--token-file" in text
    assert SECRET not in text


def test_the_help_of_a_secret_says_that_a_flag_is_seen_by_others() -> None:
    command = service_command(PLUGIN)
    with click.Context(command) as context:
        (flag,) = [one for one in command.get_params(context) if one.name == "token"]
        (_, words) = flag.get_help_record(context) or ("", "")
    assert words == (
        "what callers say first (a flag is seen in ps: rather use the variable, or --token-file)"
    )
