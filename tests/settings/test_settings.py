"""Settings: one declaration gives every name, every source and every kind of value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from socketsuite.settings import environment_prefix, setting, settings_of
from tests.support.sample_settings import SETTINGS, decide, refusal

# ── the declaration ─────────────────────────────────────────────────────────────────────


def test_only_fields_declared_as_settings_are_settings() -> None:
    assert list(SETTINGS) == [
        *("count", "seconds", "loud", "banner", "file", "color", "port", "queue")
    ]
    assert settings_of(object) == ()


def test_every_name_of_a_setting_comes_from_its_field() -> None:
    @dataclass(eq=False)
    class Group:
        idle_timeout: float = setting(0.0, "how long")

    (item,) = settings_of(Group)
    assert (item.flag, item.key) == ("--idle-timeout", "idle-timeout")
    assert item.variable("ACME_ROT13") == "ACME_ROT13_IDLE_TIMEOUT"


def test_a_commands_name_becomes_the_prefix_of_its_variables() -> None:
    assert environment_prefix("acme-rot13") == "ACME_ROT13"


@pytest.mark.parametrize(
    ("name", "allowed", "default", "placeholder"),
    [
        ("count", "a whole number from 0 to 100000000", "3", "N"),
        ("seconds", "a number, 0 or more", "1.5", "NUMBER"),
        ("loud", "true or false", "off", ""),
        ("banner", "text", "", "TEXT"),
        ("file", "a path", "", "FILE"),
        ("color", "red, green", "red", "red|green"),
        ("port", "a whole number from 0 to 65535", "", "N"),
        ("queue", "a number of bytes such as 65536, 64K or 1M", "4K", "N"),
    ],
)
def test_a_setting_describes_itself(
    name: str, allowed: str, default: str, placeholder: str
) -> None:
    item = SETTINGS[name]
    assert (item.allowed, item.default_text, item.placeholder) == (allowed, default, placeholder)


# ── who wins ────────────────────────────────────────────────────────────────────────────


def test_a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() -> None:
    flags, environ, table = {"count": "1"}, {"ACME_COUNT": "2"}, {"count": 4}
    assert decide(flags, environ, table)["count"] == 1
    assert decide({}, environ, table)["count"] == 2
    assert decide({}, {}, table)["count"] == 4
    assert decide()["count"] == 3


def test_a_flag_that_nobody_gave_does_not_hide_the_environment() -> None:
    assert decide({"count": None}, {"ACME_COUNT": "2"})["count"] == 2


def test_the_environment_of_another_service_is_not_looked_at() -> None:
    assert decide(environ={"ACMEX_COUNT": "2", "OTHER_NONSENSE": "1", "PATH": ""})["count"] == 3


def test_a_reserved_name_is_no_unknown_variable() -> None:
    assert decide(environ={"ACME_CONFIG": "/etc/acme.toml"})["count"] == 3


def test_a_key_may_be_written_with_dashes_or_underscores_but_not_both() -> None:
    @dataclass(eq=False)
    class Group:
        two_words: int = setting(0, "two")

    assert decide(table={"two-words": 1}, group=Group) == {"two_words": 1}
    assert decide(table={"two_words": 1}, group=Group) == {"two_words": 1}
    twice = refusal(table={"two-words": 1, "two_words": 2}, group=Group)
    assert twice == (
        'two-words is said twice (acme.toml, key "two-words"; acme.toml, key "two_words")'
    )


# ── every kind ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", " 12 ", 12),
        ("count", "0", 0),
        ("seconds", "0.25", 0.25),
        ("seconds", "2", 2.0),
        ("loud", "Yes", True),
        ("loud", "0", False),
        ("banner", "Привет, 1", "Привет, 1"),
        ("banner", "", ""),
        ("file", "a b", Path("a b")),
        ("file", "~/notes", Path.home() / "notes"),
        ("color", "green", "green"),
        ("port", "9000", (9000,)),
        ("port", "9000, 9001", (9000, 9001)),
        ("port", "", ()),
        ("queue", "64k", 65536),
        ("queue", "1MiB", 1 << 20),
        ("queue", "10", 10),
    ],
)
def test_a_variables_text_becomes_a_value_of_its_kind(name: str, text: str, value: Any) -> None:
    got = decide(environ={f"ACME_{name.upper()}": text})[name]
    assert got == value
    assert type(got) is type(value) or isinstance(got, Path)


@pytest.mark.parametrize(
    ("name", "native", "value"),
    [
        ("count", 12, 12),
        ("seconds", 2, 2.0),
        ("loud", True, True),
        ("port", [9000, 9001], (9000, 9001)),
        ("port", 9000, (9000,)),
        ("queue", 10, 10),
        ("queue", "10K", 10240),
    ],
)
def test_a_file_may_say_it_in_tomls_own_types(name: str, native: Any, value: Any) -> None:
    assert decide(table={name: native})[name] == value
