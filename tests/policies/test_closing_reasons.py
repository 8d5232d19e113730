"""Why a connection ended, as far as its transport tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from socketsuite.policies.connections import closing_reason


@dataclass
class Ended:
    """What a transport tells at its end."""

    peer_finished: bool = False
    disconnecting: bool = False
    queued: int = 0
    why: None = None


@pytest.mark.parametrize(
    ("transport", "end", "label"),
    [
        (Ended(), ConnectionDone, "closed_by_service"),
        (Ended(peer_finished=True), ConnectionDone, "closed_by_peer"),
        (Ended(), ConnectionLost, "lost"),
        # A hang-up, where nobody reads any more.
        (Ended(peer_finished=True), ConnectionLost, "closed_by_peer"),
        (Ended(disconnecting=True), ConnectionLost, "closed_by_service"),
        (Ended(peer_finished=True, disconnecting=True), ConnectionLost, "closed_by_peer"),
        # What was still to be said was not heard.
        (Ended(peer_finished=True, queued=1), ConnectionLost, "lost"),
        (Ended(disconnecting=True, queued=1), ConnectionLost, "lost"),
    ],
)
def test_a_hang_up_after_all_was_said_is_an_ordinary_end(
    transport: Ended, end: type[Exception], label: str
) -> None:
    assert closing_reason(cast(Any, transport), Failure(end())).label == label
