"""Times in settings: seconds, or amounts with units; and everything else is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from socketsuite.daemon.config.groups import groups_of
from socketsuite.service import installed_services
from socketsuite.settings import (
    DURATION,
    DeclarationError,
    SettingsError,
    duration,
    setting,
    settings_of,
)
from tests.support.sample_settings import decide

UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
AMOUNTS = st.dictionaries(st.sampled_from(sorted(UNITS)), st.integers(0, 10**6), min_size=1)


@dataclass(eq=False)
class Times:
    wait: float = setting(60.0, "how long", unit="seconds", minimum=0.1, maximum=86400)
    every: float | Literal["off"] = setting("off", "how often", unit="seconds")
    after: tuple[float, ...] = setting((), "when", unit="seconds")


WAIT, EVERY, AFTER = settings_of(Times)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("250ms", 0.25),
        ("90s", 90.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1d", 86400.0),
        ("1d2h3m4s5ms", 93784.005),
        ("1.5h", 5400.0),
        ("0.5s", 0.5),
        (" 5m ", 300.0),
        ("0s", 0.0),
        ("90", 90.0),
        ("2.5", 2.5),
        ("1e3", 1000.0),
        ("-1", -1.0),
        (90, 90.0),
        (2.5, 2.5),
    ],
)
def test_a_time_is_seconds_or_amounts_with_units(said: Any, seconds: float) -> None:
    assert duration(said) == seconds
    assert type(duration(said)) is float


@pytest.mark.parametrize(
    "said",
    [
        *("", " ", "m", "ms", "5 m", "1h 30m", "5M", "5min", "1m1h", "1m1m", "1s1m", "1h30"),
        *("-5m", "+5m", "1h-30m", ".5s", "5.s", "1e3s", "1_0s", "٣s", "nans", "infs", "5x", "s5"),
        *("nan", "inf", "1e400", "9" * 400 + "h", "9" * 400, True, None, [5], {"s": 5}, 10**400),
    ],
)
def test_what_is_no_time_is_refused_with_what_is(said: Any) -> None:
    with pytest.raises(ValueError, match=re.escape("(250ms, 90s, 5m, 1h30m)")):
        duration(said)


@given(AMOUNTS)
def test_amounts_add_up_in_the_order_of_their_units(amounts: dict[str, int]) -> None:
    said = "".join(f"{amounts[unit]}{unit}" for unit in UNITS if unit in amounts)
    thousandths = sum(UNITS[unit] * amount for unit, amount in amounts.items())
    assert duration(said) == pytest.approx(thousandths / 1000, rel=1e-15)


@given(AMOUNTS)
def test_amounts_in_another_order_are_refused(amounts: dict[str, int]) -> None:
    units = [unit for unit in reversed(UNITS) if unit in amounts]
    if len(units) > 1:
        with pytest.raises(ValueError):
            duration("".join(f"{amounts[unit]}{unit}" for unit in units))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_plain_number_is_as_many_seconds_said_or_native(number: float) -> None:
    assert duration(str(number)) == duration(number) == number


@given(st.text() | st.text("0123456789.dhms+-e ", max_size=12))
@example("1" * 100_000 + "!")
@example("1.1" * 30_000)
def test_any_text_is_a_finite_number_of_seconds_or_refused_in_words(said: str) -> None:
    try:
        seconds = duration(said)
    except ValueError as error:
        words = str(error)
    else:
        words = DURATION
        assert abs(seconds) < float("inf")
    assert words == DURATION


# ── as a setting ────────────────────────────────────────────────────────────────────────


def test_a_time_is_read_alike_from_flag_variable_and_file() -> None:
    assert decide({"wait": "1h30m"}, group=Times)["wait"] == 5400.0
    assert decide(environ={"ACME_WAIT": "1h30m"}, group=Times)["wait"] == 5400.0
    assert decide(table={"wait": "1h30m"}, group=Times)["wait"] == 5400.0
    assert decide(table={"wait": 90}, group=Times)["wait"] == 90.0
    assert decide(environ={"ACME_AFTER": "5m, 2"}, group=Times)["after"] == (300.0, 2.0)
    assert decide({"every": "off"}, group=Times)["every"] == "off"
    assert decide({"every": "5m"}, group=Times)["every"] == 300.0


def test_a_time_describes_itself() -> None:
    assert (WAIT.placeholder, WAIT.default_text) == ("SECONDS", "60")
    assert (EVERY.placeholder, AFTER.placeholder) == ("off|SECONDS", "SECONDS")
    units = "seconds, or a duration with units (250ms, 90s, 5m, 1h30m)"
    assert WAIT.allowed == f"{units} from 0.1 to 86400"
    assert EVERY.allowed == f"off, or {units}"


@pytest.mark.parametrize("said", ["99ms", "1d1ms", "25h", "0", "-1", "5x", "nan"])
def test_a_time_out_of_range_or_wrong_is_a_line_with_what_is_allowed(said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        WAIT.read(said, "--wait")
    line = f"wait = {said!r} (--wait) is not valid; allowed: {WAIT.allowed}"
    assert str(refused.value) == line


@pytest.mark.parametrize("annotation", [int, str, float | str])
def test_only_a_float_can_be_in_seconds(annotation: Any) -> None:
    namespace = {"__annotations__": {"wait": annotation}, "wait": setting(0, unit="seconds")}
    with pytest.raises(DeclarationError, match="wait: a setting in seconds is a float"):
        settings_of(dataclass(eq=False)(type("Wrong", (), namespace)))


def test_every_time_of_every_daemon_may_be_said_with_units() -> None:
    items = [
        item
        for plugin in installed_services().values()
        for group in groups_of(plugin)
        for item in group.settings
    ]
    times = {item.key for item in items if item.kind.seconds}
    assert times >= {"interval", "idle-timeout", "drain-timeout", "keepalive", "rate-window"}
    named = re.compile("(-timeout|-seconds|-window|^interval)$")
    assert {item.key for item in items if item.metavar == "SECONDS" or named.search(item.key)} <= (
        times
    )
