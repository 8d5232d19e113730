"""The fields of a request: what may be in them, checked by the table that also makes the schema.

This module must not know any one request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from socketsuite.services.chat.refusals import Refused

Kind = Literal["text", "integer", "boolean", "changes"]


@dataclass(frozen=True)
class Field:
    """One field of a request.

    :ivar help: what it says, in one line.
    :ivar kind: ``text`` without control characters that end a line; ``integer`` from *least* to
        *most*; ``boolean``; ``changes`` is a list of at most *most* modes, each as
        :data:`CHANGE` says.
    :ivar most: bytes of UTF-8, or the largest number, or the longest list.
    :ivar empty: whether an empty text is one.
    :ivar choices: the only texts, where there are any.
    """

    help: str
    kind: Kind = "text"
    required: bool = False
    most: int = 512
    least: int = 0
    empty: bool = False
    choices: tuple[str, ...] = ()

    def check(self, name: str, value: Any) -> Any:
        """Return *value* as a handler is given it.

        :raises Refused: ``bad_request``, with what is allowed.
        """
        if self.kind == "text":
            return self._text(name, value)
        if self.kind == "integer":
            if type(value) is not int or not self.least <= value <= self.most:
                raise _bad(name, f"has to be an integer from {self.least} to {self.most}")
            return value
        if self.kind == "boolean":
            if type(value) is not bool:
                raise _bad(name, "has to be true or false")
            return value
        if not isinstance(value, list) or not 0 < len(value) <= self.most:
            raise _bad(name, f"has to be a list of 1 to {self.most} changes")
        return [checked(one, CHANGE) for one in value]

    def _text(self, name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise _bad(name, "has to be a text")
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            raise _bad(name, "has half a surrogate pair") from None
        if size > self.most:
            raise Refused("too_long", name, f"is longer than {self.most} bytes")
        if not value and not self.empty:
            raise _bad(name, "is empty")
        if "\n" in value or "\r" in value or "\0" in value:
            raise _bad(name, "has a line break or NUL in it")
        if self.choices and value not in self.choices:
            raise _bad(name, f"has to be one of {', '.join(self.choices)}")
        return value


MODE_LETTERS = {
    "operator": "o",
    "voice": "v",
    "ban": "b",
    "exception": "e",
    "invitation": "I",
    "mute": "q",
    "invite-only": "i",
    "moderated": "m",
    "members-only": "n",
    "secret": "s",
    "topic-lock": "t",
    "no-ctcp": "C",
    "key": "k",
    "limit": "l",
}
"""What modes of a room are called here, and the letters that the hub has for them."""

MODE_NAMES = {letter: name for name, letter in MODE_LETTERS.items()}

CHANGE = {
    "mode": Field("which mode", required=True, choices=tuple(MODE_LETTERS)),
    "on": Field("whether it is set, or taken back", "boolean", required=True),
    "about": Field("the nick, mask, key or number that it is about"),
}
"""The fields of one change of a room's modes."""


def checked(value: Any, fields: Mapping[str, Field], also: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the fields of the object *value* that are there, each checked.

    :param also: keys that may be there besides.
    :raises Refused: ``bad_request``: for what is missing, wrong, or not known.
    """
    if not isinstance(value, dict):
        raise _bad("", "an object is wanted")
    found = {}
    for name, field in fields.items():
        if value.get(name) is not None:
            found[name] = field.check(name, value[name])
        elif field.required:
            raise _bad(name, "is missing")
    for name in value:
        if name not in fields and name not in also:
            known = ", ".join([*also, *fields])
            raise _bad(name[:32], f"is no field of this request; there are {known}")
    return found


def _bad(name: str, text: str) -> Refused:
    return Refused("bad_request", name, text)
