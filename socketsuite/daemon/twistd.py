"""What twistd needs of a command's options, around one click command.

Knows twistd's own options (pid file, log file, the pipe to a waiting parent); must not know
any setting of ours.  A mistake is one line on standard error and exit status 2.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import click
from twisted.logger import Logger
from twisted.python.usage import Options

from socketsuite.daemon.configuration import Configuration
from socketsuite.daemon.process_settings import ProcessSettings
from socketsuite.settings import SettingsError

_TWISTD_PIDFILE = "twistd.pid"


class TwistdOptions(Options):
    """What twistd needs of a command's options, around one click command."""

    configurations: list[Configuration]
    process: ProcessSettings
    check_only = False

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse, resolve every setting, and exit with one line where that fails."""
        arguments = list(sys.argv[1:] if options is None else options)
        try:
            command = self.command()
            said: dict[str, Any] = command.main(
                arguments, prog_name=f"twistd {self.name}", standalone_mode=False
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
        sys.stderr.write(f"{self.name}: {line}; see twistd {self.name} --help\n")
        sys.exit(2)

    def _unshare_pidfile(self) -> None:
        """Write no pid file unless one was asked for.

        twistd writes ``twistd.pid`` into the current folder, and a second daemon started
        there would refuse to run.
        """
        parent: Any = getattr(self, "parent", None)
        if parent is None or parent.get("pidfile") != _TWISTD_PIDFILE:
            return
        if not any(argument.startswith("--pidfile") for argument in sys.argv):
            parent["pidfile"] = ""

    def refuse_start(self, message: str) -> NoReturn:
        """End with exit status 1, and say why in one line to whoever started us."""
        parent: Any = getattr(self, "parent", None) or {}
        waiting = parent.get("statusPipe")
        if waiting is None:
            # Not sys.stderr, which twistd has given to its log by now.
            os.write(2, f"{self.name}: {message}\n".encode())
        else:
            # Our terminal is gone; twistd's first process waits here for two characters
            # and a word of at most 98 bytes, prints it and exits 1.
            Logger(namespace=self.name).error("{message}", message=message)
            os.write(waiting, b"1 " + message.encode()[:98])
        if parent.get("pidfile"):
            with contextlib.suppress(OSError):
                os.unlink(parent["pidfile"])
        sys.exit(1)

    @property
    def logs_to_stdout(self) -> bool:
        """Whether twistd would write its log to standard output, and no option says how."""
        parent: Any = getattr(self, "parent", None)
        if parent is None or not parent["nodaemon"]:
            return False
        said = any(parent.get(option) for option in ("logger", "syslog"))
        return not said and parent.get("logfile") in (None, "", "-")
