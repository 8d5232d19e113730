"""The log for machines: one object a line, typed, whatever is in it."""

from __future__ import annotations

import json
import os
from typing import Any, cast

from twisted.logger import LogLevel
from twisted.python.failure import Failure

from socketsuite.observe.events import Closed, Notice, Received
from socketsuite.observe.json_log import is_journal, json_form, prioritised
from socketsuite.observe.text_log import TextForm

CLOSED = Closed("echo", "tcp", "127.0.0.1:7", 12, 34, 1.5, "handshake_failed", "no shared cipher")


def raw(**event: Any) -> str:
    return json_form(
        {"log_time": 0.25, "log_namespace": "echo", "log_level": LogLevel.info, **event}
    )


def logged(**event: Any) -> dict[str, Any]:
    line = raw(**event)
    assert line.count("\n") == 1
    assert line.endswith("\n")
    return cast(dict[str, Any], json.loads(line))


def test_the_fields_of_an_event_keep_their_types() -> None:
    assert logged(event=CLOSED, log_format="{text}", text="closed, for people") == {
        "time": "1970-01-01T00:00:00.250Z",
        "level": "info",
        "service": "echo",
        "event": "closed",
        "message": "closed, for people",
        "transport": "tcp",
        "peer": "127.0.0.1:7",
        "bytes_in": 12,
        "bytes_out": 34,
        "duration": 1.5,
        "reason": "handshake_failed",
        "detail": "no shared cipher",
        "frontend": "main",
    }


def test_anything_else_has_a_logger_and_a_message() -> None:
    fields = logged(log_format="ready, pid {pid}", pid=42, log_level=LogLevel.warn)
    assert (fields["logger"], fields["message"], fields["level"]) == (
        "echo",
        "ready, pid 42",
        "warn",
    )


def test_a_notice_is_a_message_of_its_service() -> None:
    fields = logged(event=Notice("echo", "look out", "warn"), log_format="{text}", text="look out")
    assert (fields["service"], fields["event"], fields["message"]) == ("echo", "notice", "look out")


def test_a_private_module_is_not_named() -> None:
    fields = logged(
        log_namespace="twisted.scripts._twistd_unix.UnixAppLogger", log_format="starting"
    )
    assert fields["logger"] == "twisted"


def test_a_payload_is_there_only_where_it_was_asked_for() -> None:
    event = Received("echo", "tcp", "127.0.0.1:7", b"a\x1b\xff")
    assert "data" not in logged(event=event)
    fields = logged(event=event, payload=True)
    assert (fields["bytes"], fields["data"]) == (3, "a\x1b\\xff")


def test_no_control_character_and_no_second_line_gets_out() -> None:
    line = raw(log_format="{text}", text="a\n\x1b[2J\x7f\x9b\u202e\udcff\ud800")
    assert line[:-1].isascii()
    assert line[:-1].isprintable()
    assert json.loads(line)["message"].startswith("a\n\x1b[2J\x7f\x9b\u202e")


def test_a_failure_brings_its_traceback() -> None:
    try:
        raise ValueError("no")
    except ValueError:
        fields = logged(log_format="it raised", log_failure=Failure())
    assert fields["message"] == "it raised"
    assert fields["traceback"].endswith("builtins.ValueError: no\n")


def test_every_line_for_the_journal_has_its_priority() -> None:
    form = prioritised(TextForm())
    text = "".join(
        form({"log_time": 0.0, "log_format": "a\nb", "log_level": level, "log_namespace": "x"})
        for level in (LogLevel.info, LogLevel.warn, LogLevel.critical)
    )
    assert [line[:3] for line in text.splitlines()] == [
        *("<6>", "<6>"),
        *("<4>", "<4>"),
        *("<2>", "<2>"),
    ]


def test_the_journal_is_known_by_its_device_and_inode() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "w"):
        status = os.fstat(writing)
        ours = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        assert is_journal(writing, ours)
        assert not is_journal(writing, {"JOURNAL_STREAM": "1:2"})
        assert not is_journal(writing, {})
    assert not is_journal(writing, ours)
