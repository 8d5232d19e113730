"""From a name to a connected socket: resolved once, its addresses tried in turn.

Like the Happy Eyeballs of RFC 8305: the next address is tried as soon as one fails, or after
100 ms without an answer, and the first connection wins.

This module must not know what is said over the connection.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from socketsuite.transport.dial.failed import Failed

# RFC 8305 recommends 250 ms, and no less than 100.
_NEXT_AFTER = 0.1
# A Unix socket whose backlog is full refuses with EAGAIN, and there is nothing to wait for.
_BACKLOG_AFTER = 0.05
# These are of this machine; they say nothing about the server.
_OURS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_NO_WAY = (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


@dataclass(frozen=True)
class Address:
    """Where to connect a socket of *family* to; *where* as the socket module has it."""

    family: int
    where: Any

    def at(self, port: int) -> Address:
        """Return the same host's *port*."""
        return Address(self.family, (self.where[0], port, *self.where[2:]))


def literal(host: str, kind: int = socket.SOCK_STREAM, family: int = 0) -> list[Address]:
    """Return the one address that *host* is written as; nothing if it is a name.

    :raises Failed: when its scope, as in ``fe80::1%eth0``, is no network interface.
    """
    try:
        found = socket.getaddrinfo(host, 0, family, kind, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        address, _, scope = host.partition("%")
        if scope and ":" in address and literal(address) and not _is_interface(scope):
            raise Failed(f"there is no network interface {scope}", "unreachable") from None
        return []
    return [Address(found[0][0], found[0][4])]


def _is_interface(name: str) -> bool:
    try:
        socket.if_nametoindex(name)
    except (OSError, UnicodeError):
        return False
    return True


async def resolve(
    reactor: Any, host: str, kind: int = socket.SOCK_STREAM, family: int = 0
) -> list[Address]:
    """Return the addresses of *host*, IPv6 and IPv4 in turn; the system says which is first.

    An internationalised name is looked up in its IDNA form (RFC 5891).

    :raises Failed: when there is no such host.
    """
    if found := literal(host, kind, family):
        return found
    name = _ascii(host)
    try:
        told = await _in_thread(reactor, lambda: socket.getaddrinfo(name, 0, family, kind))
    except UnicodeError:
        raise _no_host_name() from None
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise Failed("the name server does not answer", "unknown-host") from None
        raise Failed("unknown host", "unknown-host") from None
    addresses = list(dict.fromkeys(Address(one[0], one[4]) for one in told))
    first = [one for one in addresses if one.family == addresses[0].family]
    second = [one for one in addresses if one.family != addresses[0].family]
    return [one for one in chain(*zip_longest(first, second)) if one is not None]


def _in_thread(reactor: Any, call: Callable[[], Any]) -> Deferred[Any]:
    """Return what *call* does in a thread of its own.

    Not in the reactor's pool: the process would not end before some name server answers.
    """
    done: Deferred[Any] = Deferred()

    def work() -> None:
        try:
            result = call()
        except Exception:
            result = Failure()
        reactor.callFromThread(done.callback, result)

    threading.Thread(target=work, daemon=True).start()
    return done


def _ascii(host: str) -> str:
    if host.isascii():
        return host
    import idna

    try:
        return idna.encode(host, uts46=True).decode()
    except UnicodeError:
        raise _no_host_name() from None


def _no_host_name() -> Failed:
    return Failed("not a host name", "unknown-host")


def connect(reactor: Any, addresses: Sequence[Address]) -> Deferred[socket.socket]:
    """Return the first connection to any of *addresses*; cancelling it ends the attempts.

    Fails with the ``OSError`` that tells most.
    """
    return _Race(reactor, addresses).won


class _Race:
    def __init__(self, reactor: Any, addresses: Sequence[Address]) -> None:
        self.reactor = reactor
        self.won: Deferred[socket.socket] = Deferred(lambda _: self._end())
        self._waiting = deque(addresses)
        self._running: set[_Attempt] = set()
        self._errors: list[OSError] = []
        self._timer: Any = None
        self._next()

    def _next(self) -> None:
        """Try the next address; without one, and with none under way, give up."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        while self._waiting and not self.won.called:
            attempt = _Attempt(self, self._waiting.popleft())
            if attempt.begin():
                self._running.add(attempt)
                if self._waiting:
                    self._timer = self.reactor.callLater(_NEXT_AFTER, self._next)
                return
        if not self._running and not self.won.called:
            self.won.errback(self._most_telling())

    def _most_telling(self) -> OSError:
        return min(
            self._errors, key=lambda error: (error.errno not in _OURS, error.errno in _NO_WAY)
        )

    def failed(self, attempt: _Attempt, error: OSError) -> None:
        self._errors.append(error)
        if error.errno in _OURS:
            self._waiting.clear()
        if attempt in self._running:
            self._running.discard(attempt)
            self._next()

    def succeeded(self, attempt: _Attempt, connected: socket.socket) -> None:
        self._running.discard(attempt)
        self._end()
        self.won.callback(connected)

    def _end(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._waiting.clear()
        while self._running:
            self._running.pop().stop()


@implementer(IWriteDescriptor)
class _Attempt:
    """One connect() under way."""

    def __init__(self, race: _Race, address: Address) -> None:
        self._race = race
        self._address = address
        self._socket: socket.socket | None = None
        self._again: Any = None

    def begin(self) -> bool:
        """Return whether there is something to wait for; if not, the race knows why."""
        try:
            self._socket = socket.socket(self._address.family, socket.SOCK_STREAM)
            self._socket.setblocking(False)
            number = self._socket.connect_ex(self._address.where)
        except OSError as error:
            self._fail(error)
            return False
        if number == errno.EAGAIN:
            self._again = self._race.reactor.callLater(_BACKLOG_AFTER, self._look)
        elif number in (0, errno.EINPROGRESS):
            self._race.reactor.addWriter(self)
        else:
            self._fail(OSError(number, os.strerror(number)))
            return False
        return True

    def stop(self) -> None:
        """Give up."""
        ours = self._release()
        if ours is not None:
            ours.close()

    def _release(self) -> socket.socket | None:
        """Return the socket, which nobody watches any more."""
        if self._again is not None and self._again.active():
            self._again.cancel()
        if self._socket is not None:
            self._race.reactor.removeWriter(self)
        ours, self._socket = self._socket, None
        return ours

    def doWrite(self) -> None:
        self._look()

    def connectionLost(self, reason: Failure) -> None:
        self._look()  # epoll reports a refusal as a hang-up; the socket knows which

    def _look(self) -> None:
        if self._socket is None:
            return
        told = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        number = told or self._socket.connect_ex(self._address.where)
        if number in (errno.EALREADY, errno.EINPROGRESS):
            return
        if number == errno.EAGAIN:
            self._again = self._race.reactor.callLater(_BACKLOG_AFTER, self._look)
            return
        if number in (0, errno.EISCONN):
            connected = self._release()
            assert connected is not None
            self._race.succeeded(self, connected)
        else:
            self._fail(OSError(number, os.strerror(number)))

    def _fail(self, error: OSError) -> None:
        self.stop()
        self._race.failed(self, error)

    def fileno(self) -> int:
        return self._socket.fileno() if self._socket is not None else -1

    def logPrefix(self) -> str:
        return "connect"


def is_ours(error: OSError) -> bool:
    """Return whether *error* is of this machine, and says nothing about a server."""
    return error.errno in _OURS
