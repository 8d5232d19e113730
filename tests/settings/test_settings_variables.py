"""The environment: whose a variable is, and that nothing it says is told to others."""

from __future__ import annotations

from typing import Any

import pytest

from socketsuite.settings import SettingsError, resolve, settings_of
from tests.support.sample_settings import SETTINGS, Every, decide, refusal

SECRET = "hunter2"


def values(environ: dict[str, str], others: Any = ()) -> dict[str, Any]:
    return resolve(settings_of(Every), flags={}, environ=environ, prefix="OD", others=others).values


def test_a_variable_of_a_service_with_a_longer_name_is_that_services() -> None:
    environ = {"OD_ALL_PORT": "9000", "OD_COUNT": "2"}
    assert values(environ, {"OD", "OD_ALL", "OTHER"})["count"] == 2
    with pytest.raises(SettingsError, match="unknown environment variable 'OD_ALL_PORT'"):
        values(environ, {"OD", "OTHER"})


def test_of_two_services_that_a_variable_would_fit_the_longer_name_has_it() -> None:
    assert values({"OD_PORT": "9000"}, {"OD", "OD_PORT"})["port"] == (9000,)
    assert values({"OD_COUNT_PORT": "1", "OD_COUNT": "2"}, {"OD_COUNT"})["count"] == 2


@pytest.mark.parametrize("variable", ["ACME_count", "acme_count", "Acme_Count"])
def test_a_variable_in_small_letters_is_not_passed_over(variable: str) -> None:
    assert refusal(environ={variable: "1"}) == (
        f"unknown environment variable '{variable}'; did you mean 'ACME_COUNT'?"
    )


def test_another_programs_variable_in_small_letters_is_left_alone() -> None:
    assert decide(environ={"acme_proxy": "http://proxy"})["count"] == 3


@pytest.mark.parametrize("variable", ["ACME_BANER", "ACME_PASSWORD", "ACME_"])
def test_what_an_unknown_variable_says_is_never_shown(variable: str) -> None:
    assert SECRET not in refusal(environ={variable: SECRET})


@pytest.mark.parametrize(("name", "said"), [("banner", f"{SECRET}\udcff"), ("file", f"~{SECRET}/")])
def test_what_a_variable_says_is_not_shown_where_it_could_be_a_secret(name: str, said: str) -> None:
    line = refusal(environ={f"ACME_{name.upper()}": said})
    assert line == f"{name} (ACME_{name.upper()}) is not valid; allowed: {SETTINGS[name].allowed}"


@pytest.mark.parametrize("name", ["count", "seconds", "loud", "color", "port", "queue"])
def test_what_a_variable_says_is_shown_where_a_number_or_a_choice_was_wanted(name: str) -> None:
    line = refusal(environ={f"ACME_{name.upper()}": "often"})
    assert line.startswith(f"{name} = 'often' (ACME_{name.upper()}) is not valid; allowed: ")


def test_a_key_that_is_unknown_is_named_without_its_value() -> None:
    assert SECRET not in refusal(table={"password": SECRET})


def test_a_very_long_value_is_cut_short() -> None:
    assert len(refusal(flags={"count": "x" * 100_000})) < 400
    assert len(refusal(table={"x" * 100_000: 1})) < 400
    assert len(refusal(environ={"ACME_" + "X" * 100_000: ""})) < 400
