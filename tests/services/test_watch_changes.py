"""What is one change: the machine, without any file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.services.watch.changes import (
    SETTLE,
    Change,
    ChangeMachine,
    Event,
    Signature,
    compare,
)

WRITTEN, CLOSED, ATTRIBUTES = Event.WRITTEN, Event.CLOSED, Event.ATTRIBUTES
CREATED, MOVED_IN, GONE = Event.CREATED, Event.MOVED_IN, Event.GONE


def changes(*events, exists=True, between=0.0):
    """Feed *events*, *between* seconds apart, then wait; return the changes in words."""
    machine = ChangeMachine(exists)
    now = 0.0
    found = []
    for event in events:
        found += [machine.expire(now), machine.feed(event, now)]
        now += between
    found.append(machine.expire(now + SETTLE))
    return [change.value for change in found if change is not None]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([WRITTEN, WRITTEN, CLOSED], ["modified"]),
        ([WRITTEN, ATTRIBUTES, CLOSED], ["modified"]),
        ([WRITTEN], ["modified"]),
        ([WRITTEN, CLOSED, WRITTEN, CLOSED], ["modified", "modified"]),
        ([CLOSED], []),
        ([ATTRIBUTES, CLOSED, ATTRIBUTES, CLOSED], ["touched", "touched"]),
        ([MOVED_IN], ["replaced"]),
        ([WRITTEN, MOVED_IN, CLOSED], ["replaced"]),
        ([GONE], ["removed"]),
        ([GONE, CLOSED], ["removed"]),
        ([WRITTEN, GONE], ["removed"]),
        ([GONE, CREATED, WRITTEN, CLOSED], ["replaced"]),
        ([GONE, MOVED_IN], ["replaced"]),
        ([GONE, CREATED, GONE], ["removed"]),
    ],
)
def test_events_of_a_file_that_exists(events, expected):
    assert changes(*events) == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([CREATED, ATTRIBUTES, CLOSED], ["created"]),
        ([CREATED], ["created"]),
        ([MOVED_IN], ["created"]),
        ([CREATED, GONE], []),
        ([ATTRIBUTES], []),
        ([GONE], []),
    ],
)
def test_events_of_a_file_that_does_not_exist(events, expected):
    assert changes(*events, exists=False) == expected


def test_a_removed_file_that_comes_back_later_is_created():
    assert changes(GONE, CREATED, between=SETTLE) == ["removed", "created"]


def test_a_writer_that_never_closes_is_told_once_per_settle_period():
    seen = changes(*[WRITTEN] * 1000, between=SETTLE / 10)
    assert set(seen) == {"modified"}
    assert 90 <= len(seen) <= 101


def test_nothing_is_told_before_its_time():
    machine = ChangeMachine(exists=True)
    machine.feed(GONE, 10.0)
    assert machine.due == 10.0 + SETTLE
    assert machine.expire(10.0 + SETTLE - 0.001) is None
    assert machine.expire(10.0 + SETTLE) is Change.REMOVED
    assert machine.due is None


@given(st.lists(st.sampled_from(Event)), st.booleans(), st.sampled_from([0.0, SETTLE / 3, 1.0]))
def test_what_is_told_always_makes_sense(events, exists, between):
    for change in changes(*events, exists=exists, between=between):
        assert exists == (change != "created")
        exists = change != "removed"


FILE = Signature(1, 100, 5, 1000, 0o100644, 0, 0)


@pytest.mark.parametrize(
    ("before", "after", "events"),
    [
        (FILE, FILE, []),
        (None, None, []),
        (None, FILE, [MOVED_IN]),
        (FILE, None, [GONE]),
        (FILE, FILE._replace(inode=101, size=9), [MOVED_IN]),
        (FILE, FILE._replace(size=6), [WRITTEN, CLOSED]),
        (FILE, FILE._replace(modified_ns=1001), [WRITTEN, CLOSED]),
        (FILE, FILE._replace(mode=0o100600), [ATTRIBUTES]),
    ],
)
def test_two_looks_are_explained_by_events(before, after, events):
    assert compare(before, after) == events
