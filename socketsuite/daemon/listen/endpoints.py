"""Twisted's server endpoint strings: parsed without listening, and what is wrong with one.

Each kind of endpoint has a parser of its own, which may be anybody's; must not know of
settings or of services.
"""

from __future__ import annotations

import re

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpointStringParser
from twisted.plugin import getPlugins

# What Twisted's own parsers and their constructors say, in plain words.
_COMPLAINTS = (
    (r"invalid literal for int\(\) with base \d+: ''", "a number is missing"),
    (r"invalid literal for int\(\) with base \d+: (.*)", r"\1 is not a number"),
    (r"missing \d+ required positional argument: '(\w+)'", r"its \1 is missing"),
    (r"unexpected keyword argument '(\w+)'", r"it has no argument \1"),
    (r"takes from .* positional arguments but", "it has too many arguments"),
    (
        r"list index out of range|is not in list",
        "the service manager has handed over no such socket",
    ),
    (r"Unknown endpoint type: ''", "the kind before the first colon is missing"),
    (r"Unknown endpoint type: (.*)", r"no endpoint is of the kind \1"),
)
_OWN_PORT = re.compile(r"(?:haproxy:)?(?:tcp6?|ssl):(?:port=)?([+-]?\d+)(?::|$)")
_NO_PATH = re.compile(r"unix:(?:address=)?(?::|$)")


def what_is_wrong(description: str) -> str:
    """Return why *description* is no server endpoint; nothing when it may be one.

    Parsers of Twisted's own are asked.  Any other may want the reactor, or look at files, and is
    left to the start.
    """
    found = _OWN_PORT.match(description)
    if found is not None and not 0 <= int(found[1][:20]) <= 65535:
        return f"{found[1][:20]} is not a port number from 0 to 65535"
    if _NO_PATH.match(description):
        return "its path is missing"
    if is_handed_over(description) or _strangers() & set(description.split(":")):
        return ""
    try:
        serverFromString(None, description)
    except (ValueError, TypeError, KeyError) as error:
        return in_plain_words(error)
    except Exception:  # noqa: BLE001 - a certificate that is not there, an inherited socket
        return ""
    return ""


def is_handed_over(description: str) -> bool:
    """Whether it means a socket from the service manager, which only a start by it has."""
    return "systemd" in description.split(":")


def _strangers() -> set[str]:
    """Return the kinds of endpoints whose parsers are not Twisted's own."""
    return {
        str(parser.prefix)
        for parser in getPlugins(IStreamServerEndpointStringParser)
        if not type(parser).__module__.startswith("twisted.")
    }


def in_plain_words(error: Exception) -> str:
    """Return what a parser complains of, without the names of Python's own functions."""
    words = " ".join(str(error).split())
    for pattern, said in _COMPLAINTS:
        found = re.search(pattern, words)
        if found is not None:
            return found.expand(said)
    return words or type(error).__name__
