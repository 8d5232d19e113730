"""Ports that Twisted's server endpoints open, each by its own plugin.

Turns what goes wrong into one line; must not know what is served there.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import tcp
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IProtocolFactory
from twisted.python.failure import Failure

from socketsuite.daemon.errors import StartError, cause_text
from socketsuite.daemon.listen.endpoints import in_plain_words
from socketsuite.policies.proxies import Proxies


def parse_endpoint(reactor: Any, description: str, flag: str) -> Any:
    """Return the endpoint, which opens nothing yet.

    :param flag: where it was said, for the error.
    :raises StartError: naming what cannot be one.
    """
    try:
        return serverFromString(reactor, description)
    except Exception as error:  # noqa: BLE001 - any parser's complaint about a user's text
        words = cause_text(error) if isinstance(error, OSError) else in_plain_words(error)
        raise StartError(f"{flag} {description!r} is no server endpoint: {words}") from None


def open_endpoint(reactor: Any, description: str, flag: str, factory: IProtocolFactory) -> Any:
    """Return the port that the endpoint opens.

    :raises StartError: when it opens none at once.
    """
    outcome: list[Any] = []
    parse_endpoint(reactor, description, flag).listen(factory).addBoth(outcome.append)
    if outcome and isinstance(outcome[0], Failure):
        raise StartError(f"cannot listen on {description!r}: {_failure_text(outcome[0])}")
    if not outcome:
        raise StartError(f"{flag} {description!r} does not open at once, which is not served")
    return outcome[0]


def begins_with_header(port: Any, description: str, flag: str, proxies: Proxies) -> bool:
    """Whether the connections of an endpoint's *port* begin with a PROXY header that we read.

    :raises StartError: when they cannot, and should.
    """
    if not callable(getattr(port, "stopListening", None)):
        raise StartError(f"{flag} {description!r} opens nothing to be listened on")
    local = getattr(port, "addressFamily", None) == socket.AF_UNIX
    if description.startswith("haproxy:") or not proxies.expected(local=local):
        return False
    if not isinstance(port, tcp.Port):
        port.stopListening()
        raise StartError(
            f"{flag} {description!r} opens no port of Twisted's own, whose connections could"
            " begin with the PROXY header that --proxy-from asks for; leave one of them out"
        )
    return True


def _failure_text(failure: Failure) -> str:
    value = failure.value
    inner = getattr(value, "socketError", value)
    return cause_text(inner) if isinstance(inner, OSError) else " ".join(str(value).split())
