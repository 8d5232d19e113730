"""What a service's object may offer the daemon, looked up through Twisted's wrapping factories.

Knows nothing of any particular hook.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_MOST_WRAPPERS = 16


def hook_of(service: Any, name: str) -> Callable[..., Any] | None:
    """Return the method *name* of *service*, or of what it wraps; ``None`` if nobody has it.

    The outermost that has it counts, as in ``WrappingFactory(Site(...))``.
    """
    for _ in range(_MOST_WRAPPERS):
        found = getattr(service, name, None)
        if callable(found):
            return found  # type: ignore[no-any-return]
        service = getattr(service, "wrappedFactory", None)
        if service is None:
            return None
    return None
