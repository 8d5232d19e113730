"""People in rooms of fifty, and one who does not read; `make campaigns` has ten thousand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemons.crowd import as_many_descriptors_as_allowed
from tests.support.audience import percentile
from tests.support.crowded_rooms import FRONTENDS, SEND_QUEUE, Frontend, Rooms

_PEOPLE = 200


@pytest.mark.parametrize("frontend", FRONTENDS.values(), ids=FRONTENDS)
def test_one_who_does_not_read_is_dropped_and_all_others_hear_every_line(
    frontend: Frontend, tmp_path: Path
) -> None:
    with as_many_descriptors_as_allowed():
        rooms = Rooms(tmp_path, frontend, _PEOPLE)
        try:
            before = rooms.daemon.memory()
            latencies, gone = rooms.talk(0.6, 2000.0)
            assert gone is not None
            rooms.daemon.wait_for_line("closed .*reason=send_queue_full")
            assert len(latencies) == 1200 * 48 + 120 * 49
            assert rooms.daemon.memory("VmHWM") - before < SEND_QUEUE + (8 << 20)
            # A room waits for nobody: the bound is for machines with other work.
            assert percentile(latencies, 0.5) < 3.0
        finally:
            rooms.close()
