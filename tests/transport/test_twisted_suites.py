"""Twisted's own tests of stream transports, run against the burst transport.

They drive a reactor whose every stream port is accelerated; the servers' side of each
connection is then a burst transport, compiled where it can be, or in Python alone.  What is
skipped is listed here with its reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.test import test_tcp, test_tls, test_unix
from twisted.internet.test.reactormixins import ReactorBuilder
from twisted.trial.unittest import SynchronousTestCase

from tests.transport.accelerated_reactors import (
    AcceleratedAsyncioReactor,
    AcceleratedEPollReactor,
    AcceleratedPollReactor,
    AcceleratedSelectReactor,
    PureAsyncioReactor,
    PureEPollReactor,
    PurePollReactor,
    PureSelectReactor,
)

REACTORS = (
    AcceleratedEPollReactor,
    AcceleratedPollReactor,
    AcceleratedSelectReactor,
    AcceleratedAsyncioReactor,
    PureEPollReactor,
    PurePollReactor,
    PureSelectReactor,
    PureAsyncioReactor,
)
# Select and poll differ from each other and from epoll in what they wait by alone, and the burst
# that is compiled from the other one in what its loop is made of.
USUAL = (AcceleratedEPollReactor, PureAsyncioReactor)

SKIPPED = {
    "test_resumeProducing": "looks for the connection in reactor.getReaders(); a burst is one"
    " reader for all of its connections (test_burst.py holds what it is about)",
}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twisted's tests leave sockets behind, wherever they are run."""
    monkeypatch.chdir(tmp_path)


def _builders() -> dict[str, Any]:
    """Return every class of those modules that Twisted would run once for each reactor."""
    return {
        f"{module.__name__.rpartition('.')[2]}_{base.__name__}": base
        for module in (test_tcp, test_unix, test_tls)
        for case in vars(module).values()
        if isinstance(case, type) and issubclass(case, SynchronousTestCase)
        for base in case.__mro__[1:2]
        if issubclass(base, ReactorBuilder)
    }


def _skip(reason: str) -> Any:
    return lambda self: self.skipTest(reason)


for _name, _builder in sorted(_builders().items()):
    for _reactor in REACTORS:
        _body: dict[str, Any] = {"reactorFactory": _reactor, "__module__": __name__}
        for _method, _reason in SKIPPED.items():
            if hasattr(_builder, _method):
                _body[_method] = _skip(_reason)
        _case = f"{_name}_{_reactor.__name__}"
        _made = type(_case, (_builder, SynchronousTestCase), _body)
        globals()[_case] = _made if _reactor in USUAL else pytest.mark.thorough(_made)
