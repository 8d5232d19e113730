"""What ``--check-config`` looks at: what settings name, apart from the service's own code.

Finds what would be wrong whoever runs now: opens no port, makes no file, and takes no notice of
what is in use, since that may be so by the daemon whose settings these are.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from socketsuite.daemon.config.configuration import Configuration
from socketsuite.daemon.config.process_settings import ProcessSettings
from socketsuite.daemon.errors import StartError, cause_text
from socketsuite.daemon.listen import certificates
from socketsuite.daemon.listen.binding import BindRequest, try_binding
from socketsuite.daemon.listen.settings import ListenSettings
from socketsuite.daemon.listen.sockets import try_addresses

_STANDARD = ("stdout", "stderr", "journal")


def check_service(configuration: Configuration, requests: Sequence[BindRequest]) -> None:
    """Look at what one service's settings name: certificates, addresses, paths.

    :param requests: what a start would bind.
    :raises StartError: for what would make a start fail, or a certificate out of time.
    """
    context = certificates.load_context(configuration.tls, configuration.origins)
    untimely = certificates.out_of_time(context, configuration.tls)
    if untimely is not None:
        raise StartError(untimely)
    try_binding(requests, configuration.udp)


def check_process(settings: ProcessSettings) -> None:
    """Look at what the process's settings name.

    :raises StartError: for what would make a start fail.
    """
    if settings.log_to is not None and settings.log_to not in _STANDARD:
        _check_log(settings.log_to)
    if settings.admin is not None:
        try:
            try_addresses(ListenSettings(unix=(settings.admin,)), tcp=False, udp=False)
        except StartError as error:
            raise StartError(str(error).replace("--unix", "--admin")) from None


def _check_log(where: str) -> None:
    """See that the log's file can be appended to, or made; it is neither here."""
    try:
        writable_file(Path(where))
    except (OSError, ValueError) as error:
        cause = cause_text(error) if isinstance(error, OSError) else str(error)
        raise StartError(f"cannot write the log to {where}: {cause}") from None


def writable_file(path: Path) -> None:
    """Raise ``OSError`` unless the file *path* can be appended to, or made."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _may(path.parent, os.W_OK | os.X_OK)
        finally:
            os.close(descriptor)
        return
    if stat.S_ISREG(mode):
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC))
    elif stat.S_ISDIR(mode):
        raise IsADirectoryError(21, os.strerror(21))
    else:
        _may(path, os.W_OK)


def _may(path: Path, how: int) -> None:
    if not os.access(path, how, effective_ids=True):
        raise PermissionError(13, os.strerror(13))
