"""The log that operators read: one line an event, whatever is in it."""

from __future__ import annotations

from twisted.logger import LogLevel
from twisted.python.failure import Failure

from socketsuite.observe.text_log import TextForm


def logged(**event: object) -> str:
    return TextForm()(
        {"log_time": 0.25, "log_namespace": "echo", "log_level": LogLevel.info, **event}
    )


def test_a_line_has_the_time_in_milliseconds_the_name_and_the_text() -> None:
    line = logged(log_format="{text}", text="closed peer=127.0.0.1:7")
    assert line == "1970-01-01T00:00:00.250Z echo closed peer=127.0.0.1:7\n"


def test_a_level_other_than_info_is_named() -> None:
    line = logged(log_format="x", log_level=LogLevel.warn)
    assert line == "1970-01-01T00:00:00.250Z echo warn x\n"


def test_control_characters_are_shown_and_not_obeyed() -> None:
    line = logged(log_format="{text}", text="peer said \x1b[2J\x9b\x7f")
    assert "\x1b" not in line
    assert "^[[2J" in line


def test_nobody_can_forge_a_line() -> None:
    line = logged(log_format="{text}", text="a\n1970-01-01T00:00:00.250Z echo stopped")
    assert [one[:4] for one in line.splitlines()] == ["1970", "    "]


def test_a_traceback_is_indented_below_its_line() -> None:
    try:
        raise ValueError("\x1b]0;title\x07")
    except ValueError:
        lines = logged(log_format="it raised", log_failure=Failure()).splitlines()
    assert lines[0].endswith("echo it raised")
    assert all(line.startswith("    ") for line in lines[1:])
    assert lines[-1].endswith("builtins.ValueError: ^[]0;title^G")


def test_twisteds_own_words_about_ports_are_left_out() -> None:
    assert logged(log_format="(TCP Port 7 Closed)") == ""
    assert logged(log_format="AdmissionFactory starting on 7") == ""
    assert logged(log_format="{text}", text="(TCP Port 7 Closed)") != ""


def test_a_private_module_is_not_named_and_a_public_one_is() -> None:
    private = logged(log_namespace="twisted.scripts._twistd_unix.UnixAppLogger", log_format="x")
    assert private == "1970-01-01T00:00:00.250Z twisted x\n"
    public = logged(log_namespace="twisted.internet.defer", log_format="x")
    assert public == "1970-01-01T00:00:00.250Z twisted.internet.defer x\n"
