"""What a request is: an entry of a table, with the fields it takes and what it answers.

This module must not know any one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred

from socketsuite.services.chat.web.fields import Field
from socketsuite.services.chat.web.session import Session

Result = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One request.

    :ivar help: what it does, in one line.
    :ivar run: is given the session and the checked fields; returns what is answered besides
        ``done``, at once or later, or raises ``Refused``.
    :ivar answers: the answer's fields, each with what it says, for the documents.
    :ivar cost: of a turn's hundred; what answers much costs much.
    :ivar early: whether it may be asked before one is in.
    """

    help: str
    run: Callable[[Session, Mapping[str, Any]], Result | Deferred[Result] | None]
    fields: Mapping[str, Field] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    cost: int = 1
    early: bool = False
