"""Writes the tables of docs/chat-websocket.md anew, and the JSON Schema beside it.

python -m tools.websocket_page docs/chat-websocket.md docs/chat-websocket.schema.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from socketsuite.services.chat.web.requests import REQUESTS
from socketsuite.services.chat.web.schema import schema
from socketsuite.services.chat.web.schema_events import EVENTS
from tools.marked_tables import table, with_tables


def schema_text() -> str:
    """Return the schema as it is to stand in its file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def written(page: str) -> str:
    """Return *page* with its tables as they are to be."""
    return with_tables(page, {"requests": _requests(), "events": _events()})


def _requests() -> str:
    rows: list[tuple[str, ...]] = []
    for name, request in REQUESTS.items():
        fields = [
            f"`{word}`{'' if field.required else '?'}: {field.help}"
            for word, field in request.fields.items()
        ]
        answers = [f"`{word}`: {text}" for word, text in request.answers.items()]
        rows.append((f"`{name}`", request.help, "<br>".join(fields), "<br>".join(answers)))
    return table(("request", "what it does", "fields", "the answer's fields"), rows)


def _events() -> str:
    rows: list[tuple[str, ...]] = []
    for one in EVENTS.values():
        properties: dict[str, Any] = one["properties"]
        fields = ", ".join(
            f"`{word}`{'' if word in one['required'] else '?'}"
            for word in properties
            if word != "type"
        )
        rows.append((f"`{properties['type']['const']}`", one["description"], fields))
    return table(("event", "what happened", "fields"), rows)


if __name__ == "__main__":
    page, beside = map(Path, sys.argv[1:3])
    page.write_text(written(page.read_text()))
    beside.write_text(schema_text())
