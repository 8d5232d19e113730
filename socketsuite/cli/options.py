"""What every stream client asks of its user: where the server is, and how to reach it.

This module must not import Twisted, which takes longer than ``--help`` may.
"""

from __future__ import annotations

import functools
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from socketsuite.cli.output import Output
from socketsuite.settings import DURATION, duration, shown
from socketsuite.transport.dial.target import Target, TLSChoice

_Command = TypeVar("_Command", bound=Callable[..., Any])

_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
# HOST:PORT, or [HOST]:PORT; an IPv6 address without brackets has more colons, and no port.
_BOTH = re.compile(r"(\[[^][]+\]|[^][:]+):([^:]*)")
_MOST_DAYS = 366


class Seconds(click.ParamType):
    """A time that a clock can wait for, as a daemon's settings have it: ``2.5``, ``1h30m``."""

    name = "seconds"

    def __init__(self, *, or_none: bool = False) -> None:
        self._or_none = or_none

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Return the number of seconds; see click."""
        try:
            seconds = duration(value)
        except ValueError:
            seconds = -1.0
        if not (seconds > 0 or (self._or_none and seconds == 0)) or seconds > _MOST_DAYS * 86400:
            least = "0 or more" if self._or_none else "more than 0"
            allowed = f"{DURATION}, {least}, at most {_MOST_DAYS}d"
            self.fail(f"{shown(value)} is not valid; allowed: {allowed}.", param, ctx)
        return seconds


SECONDS = Seconds()


def _note_json(context: click.Context, _option: Any, chosen: bool) -> bool:
    output(context).as_json = chosen
    return chosen


def output(context: click.Context) -> Output:
    """Return the running command's output."""
    found = context.ensure_object(Output)
    found.command = context.info_name
    return found


json_option = click.option(
    "--json",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_note_json,
    help="JSON, one object a line (docs/clients.md).",
)
pass_output = click.make_pass_decorator(Output, ensure=True)


@dataclass(frozen=True)
class Route:
    """The options of a stream client, before it is known which server they are for."""

    unix: str | None
    tls: bool
    tls_name: str | None
    cafile: Path | None
    cert: Path | None
    key: Path | None
    timeout: float

    def to(self, address: Sequence[str], default_port: int) -> Target:
        """Return the server that *address* (``[HOST [PORT]]``) or ``--unix`` names.

        :raises click.UsageError: when it names none, or two.
        """
        if self.unix is not None:
            if address:
                raise click.UsageError("Give --unix PATH or HOST PORT, not both.")
            return Target("", 0, self.unix, self._tls(None), self.timeout)
        host, port = host_and_port(address, default_port)
        return Target(host, port, None, self._tls(host), self.timeout)

    def _tls(self, host: str | None) -> TLSChoice | None:
        if not self.tls:
            for option in ("tls_name", "cafile", "cert", "key"):
                if getattr(self, option) is not None:
                    raise click.UsageError(f"--{option.replace('_', '-')} needs --tls.")
            return None
        if self.key is not None and self.cert is None:
            raise click.UsageError("--key needs --cert.")
        name = self.tls_name or host
        if name is None:
            raise click.UsageError("--tls over --unix needs --tls-name NAME to verify.")
        return TLSChoice(name, self.cafile, self.cert, self.key)


def host_and_port(
    address: Sequence[str], default_port: int, protocol: str = "tcp"
) -> tuple[str, int]:
    """Return what *address* (``[HOST [PORT]]``, or ``HOST:PORT``) names.

    :raises click.UsageError: when that is nothing, or too much.
    """
    words = [part for word in address[:1] for part in split_host(word) if part is not None]
    words += address[1:]
    if len(words) > 2:
        raise click.UsageError(f"Got an unexpected argument: {words[2]}.")
    host = bare_host(words[0]) if words else "localhost"
    return host, port_number(words[1], protocol) if len(words) > 1 else default_port


def split_host(word: str) -> tuple[str, str | None]:
    """Return the parts of ``HOST:PORT``; without a port, ``None`` for it."""
    both = _BOTH.fullmatch(word)
    return (both[1], both[2]) if both is not None else (word, None)


def port_number(text: str, protocol: str = "tcp") -> int:
    """Return *text* as a port: 1–65535, or the name of a service.

    :raises click.UsageError: when it is none.
    """
    if text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535:
        return int(text)
    if text.isascii() and text[:1].isalnum() and not text.isdigit():
        try:
            return socket.getservbyname(text, protocol)
        except OSError:
            pass
    raise click.UsageError(f"{text!r} is not a port (1-65535), nor a service's name.")


def bare_host(text: str) -> str:
    """Return *text* without the brackets that an IPv6 address may be written in.

    :raises click.UsageError: when nothing is left.
    """
    host = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not host:
        raise click.UsageError("HOST is empty.")
    return host


_STREAM_OPTIONS = [
    click.option("--unix", metavar="PATH", help="A Unix socket instead of HOST PORT."),
    click.option("--tls", is_flag=True, help="TLS 1.2 or newer; the certificate is verified."),
    click.option("--tls-name", metavar="NAME", help="The name to verify, if it is not HOST."),
    click.option("--cafile", type=_FILE, help="Authorities to trust instead of the system's."),
    click.option("--cert", type=_FILE, help="Our own certificate chain, for mutual TLS."),
    click.option("--key", type=_FILE, help="Its private key, if --cert does not hold it."),
    click.option(
        "--timeout",
        type=SECONDS,
        default=10.0,
        show_default=True,
        metavar="SECONDS",
        help="How long connecting may take.",
    ),
    json_option,
]


def stream_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a click command the options of :class:`Route`, as its parameter ``route``."""

    @functools.wraps(command)
    def wrapped(
        unix: str | None,
        tls: bool,
        tls_name: str | None,
        cafile: Path | None,
        cert: Path | None,
        key: Path | None,
        timeout: float,
        **others: Any,
    ) -> None:
        command(route=Route(unix, tls, tls_name, cafile, cert, key, timeout), **others)

    for option in reversed(_STREAM_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def address_argument(default_port: int) -> Callable[[_Command], _Command]:
    """Give a click command ``[HOST [PORT]]``, or ``HOST:PORT``, as its parameter ``address``."""
    metavar = f"[HOST (localhost) [PORT ({default_port})]]"
    return click.argument("address", nargs=-1, metavar=metavar)


def epilog(examples: Sequence[str], failed: str, success: str = "success") -> str:
    """Return the end of a ``--help``: examples, and what each exit status means."""
    lines = ["\b", "Examples:", *(f"  {example}" for example in examples)]
    statuses = [f"  0    {success}", f"  1    {failed}", "  2    usage error"]
    statuses += ["  130  Ctrl-C", "  143  SIGTERM"]
    return "\n".join([*lines, "", "\b", "Exit status:", *statuses])
