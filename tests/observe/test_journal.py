"""The log in the journal's own protocol: every field by its name, and nobody waits for it."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from socketsuite.observe.destination import Destination
from socketsuite.observe.events import Closed
from socketsuite.observe.journal import journal_form
from socketsuite.observe.json_log import json_form
from socketsuite.observe.writer import MOST_LINES

SECONDS = 20.0
EVENT = {"log_time": 0.25, "log_namespace": "echo", "log_level": LogLevel.info}
CLOSED = Closed("echo", "tcp", "127.0.0.1:7", 12, 34, 1.5, "lost")


def fields(data: bytes) -> dict[str, str]:
    """Return the fields of one entry, as the journal reads it."""
    found: dict[str, str] = {}
    while data:
        line, _, data = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (size,) = struct.unpack_from("<Q", data)
            value, data = data[8 : 8 + size], data[8 + size :]
            assert data[:1] == b"\n"
            data = data[1:]
        assert name.decode() not in found
        found[name.decode()] = value.decode()
    return found


def entry(form: Any = None, **event: Any) -> dict[str, str]:
    return fields(journal_form(form)({**EVENT, **event}).encode("latin-1"))


def test_an_event_has_its_fields() -> None:
    assert entry(event=CLOSED, log_format="{text}", text="closed peer=127.0.0.1:7") == {
        "MESSAGE": "closed peer=127.0.0.1:7",
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "echo",
        "SOCKETSUITE_SERVICE": "echo",
        "SOCKETSUITE_EVENT": "closed",
        "TRANSPORT": "tcp",
        "PEER": "127.0.0.1:7",
        "BYTES_IN": "12",
        "BYTES_OUT": "34",
        "DURATION": "1.5",
        "REASON": "lost",
        "FRONTEND": "main",
    }


def test_anything_else_has_its_logger() -> None:
    assert entry(log_format="look out", log_level=LogLevel.warn) == {
        "MESSAGE": "look out",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "socketsuite",
        "SOCKETSUITE_LOGGER": "echo",
    }


def test_a_message_in_json_is_the_line_of_the_json_log() -> None:
    event = {"event": CLOSED, "log_format": "{text}", "text": "closed"}
    fields = entry(json_form, **event)
    assert json.loads(fields["MESSAGE"]) == json.loads(json_form({**EVENT, **event}))
    assert fields["PEER"] == "127.0.0.1:7"


def test_what_a_peer_says_makes_no_field_of_its_own() -> None:
    event = Closed("echo", "tcp", "p\nPRIORITY=0\n", 0, 0, 0.0, "lost", "é\udcff\x1b[2J")
    fields = entry(event=event, log_format="{text}", text="a\nMESSAGE=b\x1b[2J")
    assert (fields["PEER"], fields["PRIORITY"]) == ("p\nPRIORITY=0\n", "6")
    assert fields["MESSAGE"] == "a\n    MESSAGE=b^[[2J"


def test_a_traceback_is_in_the_message() -> None:
    try:
        raise ValueError("no")
    except ValueError:
        fields = entry(log_format="it raised", log_failure=Failure())
    assert fields["MESSAGE"].startswith("it raised\n")
    assert fields["MESSAGE"].endswith("builtins.ValueError: no")


def test_what_twisted_says_of_its_ports_is_left_out() -> None:
    assert journal_form(None)({**EVENT, "log_format": "(TCP Port 7 Closed)"}) == ""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "journal")


def open_journal(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(path)
    made.settimeout(SECONDS)
    return made


@pytest.fixture
def journal(path: str) -> Iterator[socket.socket]:
    with open_journal(path) as made:
        yield made


def message(journal: socket.socket) -> str:
    return fields(journal.recv(1 << 20))["MESSAGE"]


def test_entries_come_one_a_datagram_in_their_order(path: str, journal: socket.socket) -> None:
    destination = Destination("journal", "text", {}, path)
    destination.start()
    for number in range(100):
        destination({**EVENT, "log_format": "{number}", "number": number})
    assert [message(journal) for _ in range(100)] == [str(number) for number in range(100)]
    # More than a datagram takes.
    destination({**EVENT, "log_format": "x" * (1 << 20)})
    assert set(message(journal)) == {"x"}
    destination.close()
    assert destination.dropped == 0


def test_a_journal_that_does_not_read_holds_up_nobody_and_learns_how_much_it_missed(
    path: str, journal: socket.socket
) -> None:
    destination = Destination("journal", "text", {}, path)
    destination.start()
    said = 3 * MOST_LINES
    began = time.monotonic()
    for _ in range(said):
        destination({**EVENT, "log_format": "a line"})
    assert time.monotonic() - began < SECONDS
    dropped = destination.dropped
    assert dropped > 0
    came, reported = 0, 0
    while came + reported < said:
        text = message(journal)
        if text == "a line":
            came += 1
        else:
            count, _, rest = text.partition(" ")
            assert rest == "lines of the log dropped: whoever reads the log did not keep up"
            reported += int(count)
    assert reported == destination.dropped == dropped
    destination.close()


def test_an_end_that_the_journal_does_not_read_is_bounded(
    path: str, journal: socket.socket, capfd: pytest.CaptureFixture[str]
) -> None:
    destination = Destination("journal", "text", {}, path)
    destination.start()
    said = 5000
    for _ in range(said):
        destination({**EVENT, "log_format": "a line"})
    began = time.monotonic()
    destination.close()
    assert time.monotonic() - began < SECONDS / 4
    left = int(capfd.readouterr().err.split()[0])
    assert 0 < left < said
    # Its thread goes on, and ends.
    assert {message(journal) for _ in range(said)} == {"a line"}


def test_a_journal_that_was_started_anew_is_found_again(path: str) -> None:
    with open_journal(path) as first:
        destination = Destination("journal", "text", {}, path)
        destination.start()
        destination({**EVENT, "log_format": "one"})
        assert message(first) == "one"
    destination({**EVENT, "log_format": "into the void"})
    deadline = time.monotonic() + SECONDS
    while destination.dropped == 0:
        assert time.monotonic() < deadline
        time.sleep(0.001)  # between two looks; nothing else tells
    Path(path).unlink()
    with open_journal(path) as second:
        destination({**EVENT, "log_format": "two"})
        assert message(second).startswith("1 lines of the log dropped: connection refused")
        assert message(second) == "two"
        destination.close()


def test_without_a_journal_it_is_standard_error_with_priorities(path: str) -> None:
    destination = Destination("journal", "text", {}, path)
    assert destination._form({**EVENT, "log_format": "x"}).startswith("<6>1970-01-01T")


def test_nothing_else_goes_to_the_journal_by_itself(path: str, journal: socket.socket) -> None:
    destination = Destination("stderr", "text", {}, path)
    assert destination._form({**EVENT, "log_format": "x"}).startswith("1970-01-01T")
