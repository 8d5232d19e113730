"""What twistd needs of a command's options, around one click command.

Knows the options of twistd and of twist (pid file, log file, the pipe to a waiting parent); must
not know any setting of ours but where the log goes.  A mistake is one line on standard error and
exit status 2.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
from twisted.logger import Logger
from twisted.python.usage import Options

from socketsuite.daemon.config.configuration import Configuration
from socketsuite.daemon.config.process_settings import ProcessSettings
from socketsuite.observe.destination import STANDARD
from socketsuite.settings import SecretFileError, SettingsError

_TWISTD_PIDFILE = "twistd.pid"
_TWISTD_LOG = "twistd.log"
# twistd's first process reads 100 bytes, of which the first two are not shown.
_STATUS_BYTES = 98


class TwistdOptions(Options):
    """What twistd needs of a command's options, around one click command."""

    configurations: list[Configuration]
    process: ProcessSettings
    check_only = False

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self._waiting: int | None = None

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse, resolve every setting, and exit with one line where that fails."""
        arguments = list(sys.argv[1:] if options is None else options)
        try:
            command = self.command()
            said: dict[str, Any] = command.main(
                arguments, prog_name=self._typed, standalone_mode=False
            )
            if not isinstance(said, dict):
                sys.exit(0)  # --help or --version has spoken
            self.check_only = said.pop("check_config")
            self._said = said
            self.reread()
        except click.ClickException as error:
            self._refuse(error.format_message())
        except click.Abort:
            sys.exit(130)
        except SecretFileError as error:
            self.fail_startup(str(error))
        except (SettingsError, ImportError) as error:
            self._refuse(str(error))
        self._unshare_pidfile()

    def command(self) -> click.Command:
        """Return the click command that parses this command line."""
        raise NotImplementedError

    def resolve(self, said: Mapping[str, Any]) -> tuple[list[Configuration], ProcessSettings]:
        """Return the configuration of every service to start, and of the process."""
        raise NotImplementedError

    def reread(self) -> None:
        """Resolve every setting (anew): flags as they were said, environment, file.

        :raises SettingsError: and leaves everything as it was.
        """
        self.configurations, self.process = self.resolve(self._said)

    def _refuse(self, message: str) -> NoReturn:
        line = " ".join(message.split())
        sys.stderr.write(f"{self.name}: {line}; see {self._typed} --help\n")
        sys.exit(2)

    def _unshare_pidfile(self) -> None:
        """Write no pid file in the foreground or for a check, unless one was asked for.

        twistd writes ``twistd.pid`` into the current folder, and a second daemon started
        there would refuse to run.  In the background it is how the daemon is found again.
        """
        parent = self._parent
        needed = self._in_background and not self.check_only
        if parent.get("pidfile") != _TWISTD_PIDFILE or needed:
            return
        if not any(argument.startswith("--pidfile") for argument in sys.argv):
            parent["pidfile"] = ""

    def hold_startup(self) -> Callable[[], None]:
        """Let whoever started us in the background wait until the services have started.

        twistd would let them go as soon as the reactor runs.

        :return: to be called when the services have started.
        """
        self._waiting = self._parent.pop("statusPipe", None)

        def let_go() -> None:
            waiting, self._waiting = self._waiting, None
            if waiting is not None:
                os.write(waiting, b"0")
                os.close(waiting)

        return let_go

    def fail_startup(self, message: str) -> NoReturn:
        """End with exit status 1, and say why in one line to whoever started us."""
        parent = self._parent
        if parent.get("pidfile"):
            _remove_own(Path(parent["pidfile"]))
        waiting = parent.get("statusPipe", self._waiting)
        if waiting is None:
            # Not sys.stderr, which twistd has given to its log by now.
            os.write(2, f"{self.name}: {message}\n".encode())
        else:
            # Our terminal is gone; twistd's first process waits here for two characters
            # and a word of at most 98 bytes, prints it and exits 1.
            Logger(namespace=self.name).error("{message}", message=message)
            os.write(waiting, b"1 " + _shortened(message, _STATUS_BYTES))
        sys.exit(1)

    def log_to(self) -> str | None:
        """Return where our own log goes; ``None`` leaves it to twistd or twist.

        Their own options come first.  Without any, and without ours, a daemon in the
        background has twistd's log.
        """
        parent, process = self._parent, self.process
        if not parent or self._logs_otherwise:
            return None
        if not self._in_background:
            return process.log_to or "stdout"
        if process.log_to in STANDARD:
            self._refuse(
                f"the log cannot go to {process.log_to} in the background; name a file by"
                " --log-to, or stay in the foreground by twistd -n"
            )
        return process.log_to or (process.log_format and _TWISTD_LOG)

    def hand_to_twist(self, log: Any) -> None:
        """Let twist, which asks no application for its log, use *log*."""
        if self._by_twist:
            self._parent["fileLogObserverFactory"] = lambda _file: log

    @property
    def _parent(self) -> dict[str, Any]:
        """The options of twistd or twist."""
        return getattr(self, "parent", None) or {}

    @property
    def _by_twist(self) -> bool:
        return "fileLogObserverFactory" in self._parent

    @property
    def _typed(self) -> str:
        return f"{'twist' if self._by_twist else 'twistd'} {self.name}"

    @property
    def _in_background(self) -> bool:
        parent = self._parent
        return not (self._by_twist or parent.get("nodaemon") or parent.get("debug"))

    @property
    def _logs_otherwise(self) -> bool:
        """Whether an option of twistd's or twist's says how to log."""
        if self._by_twist:
            theirs = sys.argv[: sys.argv.index(self.name)] if self.name in sys.argv else []
            return any(argument.startswith("--log-f") for argument in theirs)
        parent = self._parent
        if any(parent.get(option) for option in ("logger", "syslog")):
            return True
        return parent.get("logfile") not in (None, "", "-")


def _remove_own(pidfile: Path) -> None:
    with contextlib.suppress(OSError):
        if pidfile.read_bytes() == str(os.getpid()).encode():
            pidfile.unlink()


def _shortened(message: str, most: int) -> bytes:
    """Return *message* in at most *most* bytes: whole, or its first words, the cause's."""
    whole = message.encode()
    if len(whole) <= most:
        return whole
    cause = message.partition("; ")[0].encode()
    if len(cause) <= most:
        return cause
    kept = cause[: most - 3]
    words = kept.rpartition(b" ")[0] if b" " in kept[most // 2 :] else kept
    return words.decode(errors="ignore").encode() + b"..."
