"""The table of what a client may send and what it then hears, on both transports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from socketsuite.web.websocket import WebSocketOptions
from tests.support.web_port import WebPort
from tests.support.websocket_frames import CLOSE
from tests.web import utf8_cases, websocket_cases
from tests.web.websocket_cases import MAX_MESSAGE, Case

CASES = [
    *websocket_cases.framing(),
    *websocket_cases.pings(),
    *websocket_cases.reserved(),
    *websocket_cases.fragments(),
    *websocket_cases.lengths_and_masks(),
    *utf8_cases.texts(),
    *websocket_cases.closes(),
    *websocket_cases.large(),
]


@pytest.fixture(scope="module", params=["burst", pytest.param("stock", marks=pytest.mark.thorough)])
def port(request: pytest.FixtureRequest) -> Iterator[WebPort]:
    made = WebPort(request.param, options=WebSocketOptions(max_message=MAX_MESSAGE))
    yield made
    made.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_client_hears_what_the_table_says(port: WebPort, case: Case) -> None:
    caller = port.websocket()
    caller.send(*case.sent)
    for opcode, payload in case.heard:
        got = caller.frame()
        assert (got.opcode, got.payload[:200], got.payload) == (opcode, payload[:200], payload)
    last = caller.frame()
    assert (last.opcode, last.code) == (CLOSE, case.code)
    assert caller.rest() == b""
    caller.socket.close()
    told = port.handlers[-1].told
    assert told[0] == "made"
    assert [each[0] for each in told if isinstance(each, tuple)] == [case.code or 1005]
    port.until(lambda: not port.carriers())
