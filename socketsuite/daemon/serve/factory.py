"""A service's factory: what its target tells beforehand, and whether what came out can serve.

Calls the service's own code, and turns what that raises into one line; must not know of
sockets or settings.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.logger import Logger, LogLevel

from socketsuite.daemon.errors import StartError, cause_text
from socketsuite.service import DATAGRAMS, ServiceSpecification, speaks_datagrams
from socketsuite.settings import SettingsError

_METHODS = ("buildProtocol", "doStart", "doStop")
_log = Logger(namespace="socketsuite")


def is_datagram_factory(factory: Any) -> bool:
    """Whether *factory* makes datagram protocols too."""
    return callable(getattr(factory, DATAGRAMS, None))


@contextmanager
def as_one_line(what: str) -> Iterator[None]:
    """Turn what a service's code raises into one line; the traceback is logged below it.

    :param what: the code that is called, for an error that does not explain itself.
    :raises StartError: for whatever was raised.
    """
    try:
        yield
    except StartError:
        raise
    except SettingsError as error:
        raise StartError(_one_line(str(error))) from None
    except OSError as error:
        if error.errno is None:
            raise StartError(_one_line(str(error)) or type(error).__name__) from None
        name = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        raise StartError(name + cause_text(error)) from None
    except Exception as error:  # noqa: BLE001 - a stranger's code: any error of theirs
        _log.failure("{what} raised", what=what, level=LogLevel.debug)
        words = _one_line(str(error))
        raised = f"{type(error).__name__}: {words}" if words else type(error).__name__
        raise StartError(f"{what} raised {raised}") from None


def made_by(target: str, build: Callable[[], Any]) -> Any:
    """Return what *build* makes at once.

    :raises StartError: naming the *target*, for what that raises, or makes later.
    """
    with as_one_line(target):
        made = build()
    if inspect.iscoroutine(made):
        made.close()  # else Python complains that nobody awaited it
        raise StartError(
            f"{target} made a coroutine; a factory is made at once: write def, not async def"
        )
    if isinstance(made, Deferred):
        raise StartError(f"{target} made a Deferred; a factory is made at once")
    if isinstance(made, type):
        raise StartError(f"{target} made the class {made.__qualname__}, not an object of it")
    return made


def check_first(factory: Any, plugin: ServiceSpecification, target: str, *, udp: bool) -> None:
    """Refuse a first frontend's *factory* that speaks otherwise than it was declared to.

    :param udp: whether it is to serve UDP.
    :raises StartError: naming the *target*, and the cure.
    """
    speaks = is_datagram_factory(factory)
    if udp and not speaks:
        raise StartError(
            f"{target} made {_noun(factory)}, which has no {DATAGRAMS}()"
            " for UDP; declare what it returns, or say udp=False in its ServicePlugin"
        )
    if speaks and speaks_datagrams(plugin) is False and plugin.udp is None:
        raise StartError(
            f"{target} made {_noun(factory)}, which speaks UDP, and is declared to return"
            " something that does not; correct that, or say udp=True or udp=False in its"
            " ServicePlugin"
        )


def check_fit(factory: Any, target: str) -> None:
    """Refuse what is no factory.

    :raises StartError: naming the *target*, and what is wrong with what it made.
    """
    made = f"{target} made"
    missing = [name for name in _METHODS if not callable(getattr(factory, name, None))]
    if missing:
        raise StartError(
            f"{made} {_noun(factory)}, which is no IProtocolFactory: it has no {missing[0]}()"
        )
    # Twisted's own lines of starting and stopping; the events say it better.
    try:
        factory.noisy = False
    except AttributeError:
        if isinstance(factory, Factory):
            raise StartError(
                f"{made} a frozen object, whose connections Twisted cannot count; make"
                f" {type(factory).__qualname__} a dataclass without frozen=True"
            ) from None


def check_factory(factory: Any) -> None:
    """Ask the factory what would keep it from starting, where it has ``check_start()``.

    :raises StartError: for what that raises.
    """
    look = getattr(factory, "check_start", None)
    if callable(look):
        with as_one_line(f"check_start() of {type(factory).__qualname__}"):
            look()


def datagram_protocol(factory: Any, target: str, given: list[Any]) -> Any:
    """Return a new protocol for one UDP socket.

    :param given: those that the other sockets have, to which it is added.
    :raises StartError: when it is none, or one of those.
    """
    what = f"{DATAGRAMS}() of {target}"
    with as_one_line(what):
        protocol = factory.buildDatagramProtocol()
    if not callable(getattr(protocol, "datagramReceived", None)):
        raise StartError(f"{what} made {_noun(protocol)}, which is no datagram protocol")
    if any(protocol is one for one in given):
        raise StartError(
            f"{what} made one object for two sockets; let it make a new one each time it is asked"
        )
    given.append(protocol)
    return protocol


def _noun(thing: Any) -> str:
    return "nothing (None)" if thing is None else f"an object of {type(thing).__qualname__}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
