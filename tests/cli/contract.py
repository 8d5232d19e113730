"""What docs/clients.md promises of --json, read strictly."""

from __future__ import annotations

import json
import re
from typing import Any, get_args

from socketsuite.transport.dial.failed import Code

KEYS = ["event", "time", "duration", "peer", "error"]
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def read(output: bytes) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the rows and the result, having checked each against the contract."""
    *rows, result = [json.loads(line) for line in output.splitlines()]
    assert output.endswith(b"\n")
    for row in (*rows, result):
        assert list(row)[: len(KEYS)] == KEYS
        assert _TIME.fullmatch(row["time"])
        assert row["duration"] is None or row["duration"] >= 0
        assert row["peer"] is None or row["peer"]
        if row["error"] is not None:
            assert set(row["error"]) == {"code", "message"}
            assert row["error"]["code"] in get_args(Code)
            assert row["error"]["message"]
    assert [row["event"] for row in rows].count("result") == 0
    assert result["event"] == "result"
    assert isinstance(result["duration"], float)
    assert (result["error"] is None) == (result["status"] == 0)
    return rows, result
