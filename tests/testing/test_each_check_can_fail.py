"""A service that is wrong in one way fails the check for it, which says how."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from socketsuite.testing import Conformance, NonConformance, Overheard
from tests.testing import broken


def _big(count: int) -> tuple[bytes, bytes]:
    return b"%d\n" % count, b"y" * count + b"\n"


def kit_of(folder: Path, source: str, **more: Any) -> Conformance:
    known: dict[str, Any] = {
        "talk": [(b"hello\n", b"hello\n"), (b"3\n", b"yyy\n")],
        "big": _big,
        "timeout": 5.0,
    }
    return Conformance(broken.NAME, env=broken.install(folder, source), **{**known, **more})


def run(kit: Conformance, name: str, folder: Path) -> None:
    (check,) = (one for one in kit.checks() if one.name == name)
    check.run(folder)


CASES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("splits", broken.TAKES_SEGMENTS_FOR_MESSAGES, "cut at byte 1: the reply differs", {}),
    (
        "splits",
        broken.FORGETS_ALL_BUT_THE_FIRST_OF_A_SEGMENT,
        "64 requests pipelined: stalled",
        {"timeout": 2.0},
    ),
    ("half-close", broken.FORGETS_ITS_REPLY_AT_FIN, "FIN: closed before the reply", {}),
    ("half-close", broken.NEVER_CLOSES, "FIN: has not closed in order in 2 s", {"timeout": 2.0}),
    ("big-reply", broken.CUTS_LARGE_REPLIES, "differs at byte 1048576", {}),
    ("big-reply", broken.CLOSES_ON_LARGE_REPLIES, "a reply of 16777217 bytes: ", {}),
    (
        "pauses",
        broken.COUNTS_ITS_PAUSES,
        "behind stop 0: stalled behind",
        {"timeout": 2.0},
    ),
    (
        "pauses",
        broken.PRODUCES_WHILE_PAUSED,
        "bytes wait for one who does not read, more than 1048576",
        {"most_queued": 1 << 20},
    ),
    (
        "slow-reader",
        broken.BLOCKS,
        "another connection, beside a slow reader: has not sent",
        {"timeout": 2.0},
    ),
    ("slow-reader", broken.POLLS_A_SLOW_READER, "beside a slow reader the others wait", {}),
    ("flood", broken.KEEPS_ALL_IT_HEARS, "a flood costs .* bytes of memory", {"memory": 16 << 20}),
    (
        "resets",
        broken.HOLDS_A_FILE_OF_WHO_VANISHES,
        r"\d+ descriptors are still open behind resets",
        {"timeout": 2.0},
    ),
    (
        "garbage",
        broken.RAISES_ON_BYTES_ABOVE_127,
        r"UnicodeDecodeError.*seed 1, shortest failing input b'\\x[89a-f][0-9a-f]\\n'",
        {},
    ),
    (
        "garbage",
        broken.DIES_OF_A_NUL,
        r"the process ends with status 3 .*shortest failing input b'\\x00\\n'",
        {"garbage": [b"abc\0def\n"]},
    ),
    (
        "garbage",
        broken.CLOSES_ON_A_STAR,
        r"closed_by_service.*shortest failing input b'\*\\n'",
        {"garbage": [b"abc*def\n"]},
    ),
    (
        "handshakes",
        broken.OPENS_A_FILE_BEFORE_IT_IS_CONNECTED,
        r"\d+ descriptors are still open behind wrong handshakes",
        {"timeout": 2.0},
    ),
    (
        "drain",
        broken.IGNORES_DRAIN,
        "connections had to be aborted",
        {"args": ["--drain-timeout", "1"]},
    ),
    ("drain", broken.DRAINS_BY_ABORTING, "in mid-reply at SIGTERM: ", {}),
    ("reload", broken.DIES_AT_RELOAD, "the process had ended with status -1", {}),
    ("reload", broken.FORGETS_EVERYBODY_AT_RELOAD, r"a request cut by reload \d: ", {}),
    ("matrix", broken.KNOWS_ONLY_TCP, "Unix: .*AttributeError", {}),
    (
        "leak",
        broken.LEAKS_DESCRIPTORS,
        r"300 descriptors are still open behind the first connections",
        {"timeout": 2.0},
    ),
    (
        "leak",
        broken.LEAKS_MEMORY,
        r"1000 connections leave \d+ bytes of memory, 1[678]\d\d\d each",
        {},
    ),
]


def _params() -> Iterator[Any]:
    """Return the cases; of each check the first is run always."""
    known: set[str] = set()
    for number, (name, *rest) in enumerate(CASES):
        marks = [pytest.mark.thorough] if name in known else []
        known.add(name)
        yield pytest.param(name, *rest, id=f"{name}-{number}", marks=marks)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("name", "source", "words", "more"), list(_params()))
def test_a_broken_service_fails(
    tmp_path: Path, name: str, source: str, words: str, more: dict[str, Any]
) -> None:
    package, folder = tmp_path / "package", tmp_path / "run"
    folder.mkdir()
    with pytest.raises(NonConformance) as failed:
        run(kit_of(package, source, **more), name, folder)
    assert re.search(words, str(failed.value)), failed.value
    assert "\n" not in str(failed.value)


def test_every_check_has_a_service_that_fails_it() -> None:
    every = {check.name for check in Conformance("any").all_checks()}
    assert {name for name, *_ in CASES} == every


@pytest.mark.parametrize("name", ["splits", "pauses", "garbage", "drain"])
def test_the_same_service_without_its_fault_does_not_fail(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    run(kit_of(tmp_path / "package", broken.RIGHT), name, folder)


def test_who_hears_may_be_closed_before_who_asks(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    more = {"greeting": b"", "conversation": Overheard, "shared": True}
    talk = [(b"hello\n", b"hello\n")]
    source = broken.DRAINS_ONE_BEHIND_THE_OTHER
    run(kit_of(tmp_path / "package", source, talk=talk, **more), "drain", folder)
