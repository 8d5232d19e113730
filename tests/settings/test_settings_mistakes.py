"""Whatever is said wrong is one plain line, which names key, value, origin and what is allowed."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.settings import Setting, SettingsError, shown
from tests.support.sample_settings import SETTINGS, Needy, decide, refusal

NAMES = st.sampled_from(sorted(SETTINGS))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", True),
        ("count", 1.0),
        ("count", "1.0"),
        ("count", "1_000"),
        ("count", "٣"),
        ("count", -1),
        ("count", 100_000_001),
        ("count", "9" * 5000),
        ("count", ""),
        ("count", [1]),
        ("seconds", "nan"),
        ("seconds", "inf"),
        ("seconds", "-1"),
        ("seconds", True),
        ("seconds", 10**400),
        ("seconds", {"a": 1}),
        ("loud", "maybe"),
        ("loud", 1),
        ("banner", 1),
        ("file", ""),
        ("file", "a\0b"),
        ("file", "~no-such-user-here/file"),
        ("color", "blue"),
        ("color", 1),
        ("port", 65536),
        ("port", [9000, "x"]),
        ("queue", -1),
        ("queue", "1T"),
        ("queue", "1kk"),
        ("queue", "9" * 5000),
        ("queue", "9" * 19),
        ("queue", None),
    ],
)
def test_a_value_that_is_not_allowed_is_a_line_with_key_origin_and_what_is(
    name: str, value: Any
) -> None:
    line = refusal(table={name: value})
    one = value[-1] if isinstance(value, list) and name == "port" else value
    assert line.startswith(f'{name} = {shown(one)} (acme.toml, key "{name}") is not valid; ')
    assert f"allowed: {SETTINGS[name].allowed}" in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", 0),
        ("count", 100_000_000),
        ("seconds", 0),
        ("port", [0, 65535]),
        ("queue", 0),
        ("queue", int("9" * 18)),
    ],
)
@pytest.mark.parametrize("as_text", [False, True])
def test_the_ends_of_a_range_are_in_it(name: str, value: Any, as_text: bool) -> None:
    several = value if isinstance(value, list) else [value]
    said = [str(one) for one in several] if as_text else several
    decided = decide(table={name: said if name == "port" else said[0]})[name]
    assert list(decided if name == "port" else [decided]) == several


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            {"flags": {"count": "x"}},
            "count = 'x' (--count) is not valid; allowed: a whole number from 0 to 100000000",
        ),
        (
            {"environ": {"ACME_LOUD": "x"}},
            "loud = 'x' (ACME_LOUD) is not valid; allowed: true or false",
        ),
        (
            {"flags": {"color": "gren"}},
            "color = 'gren' (--color) is not valid; allowed: red, green; did you mean 'green'?",
        ),
        (
            {"table": {"cuont": 1}},
            "unknown key 'cuont' (acme.toml); did you mean 'count'?",
        ),
        (
            {"table": {"zzz": 1}},
            "unknown key 'zzz' (acme.toml)",
        ),
        (
            {"environ": {"ACME_CUONT": "1"}},
            "unknown environment variable 'ACME_CUONT'; did you mean 'ACME_COUNT'?",
        ),
        (
            {"group": Needy},
            "file is needed: say --file PATH or set ACME_FILE (the file to append to)",
        ),
    ],
)
def test_a_mistake_is_named_in_full(said: dict[str, Any], line: str) -> None:
    assert refusal(**said) == line


@pytest.mark.parametrize(
    "environ",
    [
        {"ACME_PORT": "tcp://10.0.0.1:9100"},
        {"ACME_SERVICE_HOST": "10.0.0.1", "ACME_PORT": "tcp://10.0.0.1:9100"},
    ],
    ids=["docker", "kubernetes"],
)
def test_what_a_container_platform_sets_by_itself_is_told_apart(environ: dict[str, str]) -> None:
    assert "ACME_PORT looks like a service link that a container platform set" in refusal(
        environ=environ
    )


def within(value: Any, minimum: float | None, maximum: float | None) -> bool:
    return (minimum is None or minimum <= value) and (maximum is None or value <= maximum)


def outcome(item: Setting, said: Mapping[str, Any]) -> str:
    """Return the line that refuses *said*, or ``""`` when it is a value of *item*'s kind."""
    try:
        value = decide(**said)[item.name]
    except SettingsError as error:
        return str(error)
    for one in value if item.multiple else (value,):
        assert item.kind.word_of(one) or isinstance(one, item.kind.types)
        assert item.choices or within(one, item.minimum, item.maximum)
    return ""


def is_one_plain_line(line: str) -> bool:
    """Whether a terminal shows *line* as it is: no newline, no ESC, no change of direction."""
    return not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in line)


@given(NAMES, st.text())
def test_any_text_is_a_value_or_one_plain_line(name: str, text: str) -> None:
    item = SETTINGS[name]
    assert is_one_plain_line(outcome(item, {"flags": {name: text}}))
    assert is_one_plain_line(outcome(item, {"environ": {item.variable("ACME"): text}}))


TOML_VALUES = st.recursive(
    st.text() | st.integers() | st.floats() | st.booleans() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(NAMES, TOML_VALUES)
def test_any_toml_value_is_a_value_or_one_plain_line(name: str, value: Any) -> None:
    assert is_one_plain_line(outcome(SETTINGS[name], {"table": {name: value}}))


@given(st.text(min_size=1), st.text())
def test_any_unknown_name_is_one_plain_line(name: str, text: str) -> None:
    count = SETTINGS["count"]
    assert is_one_plain_line(outcome(count, {"table": {name: text}}))
    assert is_one_plain_line(outcome(count, {"environ": {f"ACME_{name}": text}}))
