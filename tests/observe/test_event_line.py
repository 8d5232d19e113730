"""The line of an event: its fields by name, whatever is in them."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from socketsuite.observe.events import Closed, Connected, Draining, Listening, Refused, Stopped
from socketsuite.observe.log import event_line

EVENTS = (Closed, Connected, Draining, Listening, Refused, Stopped)


def one_by_one(event: object) -> str:
    """Write *event* as the documents say."""
    line = type(event).__name__.lower()
    for field in dataclasses.fields(event):  # type: ignore[arg-type]
        value = getattr(event, field.name)
        if value is None or field.name in ("service", "frontend"):
            continue
        text = f"{value:.3f}" if isinstance(value, float) else str(value)
        line += f' {field.name}="{text}"' if " " in text else f" {field.name}={text}"
    frontend = getattr(event, "frontend", "main")
    return line if frontend == "main" else f"{line} frontend={frontend}"


texts = st.sampled_from(["", "None", "tcp", "127.0.0.1:7", "a b", " detail=None", "=", "%s", "é\n"])


@given(kind=st.sampled_from(EVENTS), data=st.data())
def test_every_field_is_in_the_line_once(kind: type, data: st.DataObject) -> None:
    by_type = {
        "str": texts,
        "int": st.integers(0, 1 << 40),
        "float": st.floats(0, 1e9),
        "str | None": st.none() | texts,
        "int | None": st.none() | st.integers(0, 65535),
    }
    fields = dataclasses.fields(kind)
    event = kind(**{field.name: data.draw(by_type[str(field.type)]) for field in fields})
    assert event_line(event) == one_by_one(event)
