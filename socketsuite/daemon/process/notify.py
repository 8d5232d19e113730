"""What the service manager is told: ready, reloading, stopping, how it goes, still alive.

The notify protocol of systemd, whole: one datagram of ``KEY=value`` lines to the socket that
``NOTIFY_SOCKET`` names (see ``man sd_notify``).  Works without systemd, by saying nothing.
Must not know what a service is, nor where its counts come from.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Callable, MutableMapping

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

_log = Logger(namespace="socketsuite")

STATUS_SECONDS = 5.0
# systemd ignores a datagram of more than 4096 bytes; the rest is room for the other lines.
_STATUS_BYTES = 2048
# State changes that its socket could not take at once; more than that are never under way.
_OWED = 8


class Notifier:
    """Tells the service manager of this process; never waits, and never raises.

    :param address: a path, or ``@name`` for an abstract socket; ``None`` stays silent.
    """

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._owed: deque[bytes] = deque(maxlen=_OWED)
        self._pid = os.getpid()
        self._socket: socket.socket | None = None
        if address is None:
            return
        if address[:1] not in ("/", "@"):
            self._complain("only a path or an abstract socket is spoken to")
            return
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> Notifier:
        """Return the notifier that ``NOTIFY_SOCKET`` asks for.

        The variable is taken out of *environ*: a child must not speak in our name.
        """
        return cls(environ.pop("NOTIFY_SOCKET", None) or None)

    @property
    def active(self) -> bool:
        """Whether somebody is there to be told."""
        return self._socket is not None

    def ready(self, status: str = "") -> None:
        """Say that the start, or a reload, is over; from a forked process, whose it is now."""
        moved = os.getpid() != self._pid
        self._tell("READY=1", f"MAINPID={os.getpid()}" if moved else "", _status_line(status))

    def reloading(self, status: str = "") -> None:
        """Say that a reload begins; :meth:`ready` ends it.

        The time is for ``Type=notify-reload`` (systemd 253), which tells by it whether this
        answers its own SIGHUP or an earlier one; ``Type=notify`` does not look at it.
        """
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell("RELOADING=1", f"MONOTONIC_USEC={now}", _status_line(status))

    def stopping(self, status: str = "") -> None:
        """Say that the end has begun."""
        self._tell("STOPPING=1", _status_line(status))

    def extend_timeout(self, seconds: float) -> None:
        """Ask for *seconds* from now before a start, reload or stop is given up for hung."""
        self._tell(f"EXTEND_TIMEOUT_USEC={_microseconds(seconds)}")

    def status(self, text: str) -> None:
        """Show *text* in ``systemctl status``; as one line, whatever is in it."""
        self.beat(text, alive=False)

    def watchdog(self) -> None:
        """Say that this process is alive."""
        self.beat(None, alive=True)

    def beat(self, text: str | None, *, alive: bool) -> None:
        """Say both in one datagram; one that cannot be sent now is dropped, not owed."""
        lines = "" if text is None else _status_line(text), "WATCHDOG=1" if alive else ""
        if any(lines) and self._pay():
            self._send(_datagram(*lines))

    def close(self) -> None:
        """Say nothing from now on."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, *lines: str) -> None:
        if self._socket is not None:
            self._owed.append(_datagram(*lines))
            self._pay()

    def _pay(self) -> bool:
        """Send what is owed, in its order; false while the manager's queue is full."""
        while self._owed:
            if not self._send(self._owed[0]):
                return False
            self._owed.popleft()
        return True

    def _send(self, datagram: bytes) -> bool:
        """Send, or drop what nobody will ever take; false when a later try may do."""
        if self._socket is None or self._address is None:
            return True
        address = os.fsencode(self._address)
        if address.startswith(b"@"):
            address = b"\0" + address[1:]
        try:
            self._socket.sendto(datagram, address)
        except BlockingIOError:
            return False
        except (OSError, ValueError) as error:
            self._complain(str(error))
        return True

    def _complain(self, why: str) -> None:
        """Log the first failure; the next ones would be the same line."""
        if self._address is not None:
            _log.warn(
                "cannot notify {address}: {why}; saying no more of it",
                address=self._address,
                why=why,
            )
        self.close()


class StatusReporter:
    """Keeps ``systemctl status`` up to date, and feeds the watchdog.

    Both from the reactor, so that a reactor that is stuck falls silent and systemd notices.

    :param text: asked every few seconds; sent only when it has changed.
    :param watchdog: seconds between two signs of life; ``None`` where nobody waits for any.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        notifier: Notifier,
        text: Callable[[], str],
        *,
        watchdog: float | None = None,
        every: float = STATUS_SECONDS,
    ) -> None:
        self._reactor = reactor
        self._notifier = notifier
        self._text = text
        self._watchdog = watchdog
        self._every = every
        self._period = every if watchdog is None else min(every, watchdog)
        self._last_status = ""
        self._asked_at: float | None = None
        self._text_works = True
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """Report now, and from now on; without anybody to tell, no timer is started."""
        if self._notifier.active and self._call is None:
            self._beat()

    def stop(self) -> None:
        """Report no more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _beat(self) -> None:
        self._call = None
        self._notifier.beat(self._news(), alive=self._watchdog is not None)
        if self._notifier.active:
            self._call = self._reactor.callLater(self._period, self._beat)

    def _news(self) -> str | None:
        """Return the status if it is time to look and it is another one than before."""
        now = self._reactor.seconds()
        early = self._asked_at is not None and now - self._asked_at < self._every * 0.99
        if early or not self._text_works:
            return None
        self._asked_at = now
        try:
            text = self._text()
        except Exception:  # noqa: BLE001 - a count that fails must not look like a stuck reactor
            _log.failure("no status from now on")
            self._text_works = False
            return None
        if text == self._last_status:
            return None
        self._last_status = text
        return text


def watchdog_interval(environ: MutableMapping[str, str], pid: int) -> float | None:
    """Return the seconds between two signs of life: half of what systemd allows at most.

    ``None`` where it waits for none, or for those of another process than *pid*.  The
    variables are taken out of *environ*.
    """
    allowed = environ.pop("WATCHDOG_USEC", "")
    meant = environ.pop("WATCHDOG_PID", "")
    if not (allowed.isascii() and allowed.isdigit()) or int(allowed) == 0:
        return None
    if meant and meant != str(pid):
        return None
    return int(allowed) / 2_000_000


def _microseconds(seconds: float) -> int:
    return max(1, round(seconds * 1_000_000))


def _datagram(*lines: str) -> bytes:
    return "\n".join(line for line in lines if line).encode()


def _status_line(text: str) -> str:
    """Return the line for *text*, without anything that could begin another or is not UTF-8."""
    if not text:
        return ""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return "STATUS=" + plain.encode()[:_STATUS_BYTES].decode(errors="ignore")
