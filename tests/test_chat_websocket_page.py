"""The page on the chat by WebSocket, and the schema beside it, say what the tables have."""

from __future__ import annotations

from pathlib import Path

import jsonschema

from socketsuite.services.chat.web.schema import schema
from tools.websocket_page import schema_text, written

DOCS = Path(__file__).parents[1] / "docs"


def test_the_tables_of_the_page_are_up_to_date() -> None:
    text = (DOCS / "chat-websocket.md").read_text()
    assert written(text) == text, "run: make docs"


def test_the_schema_is_up_to_date_and_is_one() -> None:
    assert (DOCS / "chat-websocket.schema.json").read_text() == schema_text(), "run: make docs"
    jsonschema.Draft202012Validator.check_schema(schema())
