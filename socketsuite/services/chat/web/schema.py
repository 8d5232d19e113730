"""The JSON Schema of what a client sends, made from the table of requests.

``python -m socketsuite.services.chat.web.schema`` prints it.  This module must not know what the
requests do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from socketsuite.services.chat.web.fields import CHANGE, Field
from socketsuite.services.chat.web.requests import LABEL, REQUESTS
from socketsuite.services.chat.web.schema_events import ANSWERS, DEFINITIONS, EVENTS
from socketsuite.services.chat.web.session import VERSION

Schema = dict[str, Any]

_KINDS = {"text": "string", "integer": "integer", "boolean": "boolean", "changes": "array"}
# No line break, and no NUL.
_ONE_LINE = "^[^\\u0000\\n\\r]*$"


def schema() -> Schema:
    """Return the whole: a message is a request, an answer or an event."""
    requests = {f"request-{name}": _request(name) for name in REQUESTS}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"socketsuite chat, version {VERSION}",
        "description": "Messages of the chat over WebSocket: one object a text frame.",
        "anyOf": [{"$ref": "#/$defs/client"}, {"$ref": "#/$defs/server"}],
        "$defs": {
            "client": {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in requests]},
            "server": {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in {**ANSWERS, **EVENTS}]},
            "Change": _object({name: _field(one) for name, one in CHANGE.items()}, CHANGE),
            **requests,
            **ANSWERS,
            **EVENTS,
            **DEFINITIONS,
        },
    }


def _request(name: str) -> Schema:
    request = REQUESTS[name]
    properties = {
        "type": {"const": name},
        "request": _field(LABEL),
        **{word: _field(field) for word, field in request.fields.items()},
    }
    made = _object(properties, request.fields)
    made["required"].insert(0, "type")
    return {"description": request.help, **made}


def _object(properties: Schema, fields: Mapping[str, Field]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name, field in fields.items() if field.required],
        "additionalProperties": False,
    }


def _field(field: Field) -> Schema:
    if field.kind == "changes":
        return {
            "description": field.help,
            "type": "array",
            "items": {"$ref": "#/$defs/Change"},
            "minItems": 1,
            "maxItems": field.most,
        }
    kind: Any = _KINDS[field.kind]
    made: Schema = {"description": field.help, "type": kind}
    if field.kind == "integer":
        made |= {"minimum": field.least, "maximum": field.most}
    elif field.choices:
        made["enum"] = list(field.choices)
    elif field.kind == "text":
        # Bytes of UTF-8 are what counts; so many characters are never more than allowed of them.
        made |= {"maxLength": field.most, "pattern": _ONE_LINE}
        made |= {} if field.empty else {"minLength": 1}
    if not field.required:
        made["type"] = [kind, "null"]
        if "enum" in made:
            made["enum"].append(None)
    return made


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2, ensure_ascii=False))
