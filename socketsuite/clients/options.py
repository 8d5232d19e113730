"""What every stream client asks of its user: where the server is, and how to reach it.

This module must not import Twisted, which takes longer than ``--help`` may.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])

_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
SECONDS = click.FloatRange(min=0, min_open=True)

json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable results.")


@dataclass(frozen=True)
class TLSChoice:
    """How to speak TLS.

    :ivar name: the name that the server's certificate must be for; also sent as SNI.
    :ivar cafile: authorities to trust instead of the system's (PEM).
    :ivar cert: our own certificate, and the chain behind it (PEM).
    :ivar key: its private key; ``None`` when *cert* holds it too.
    """

    name: str
    cafile: Path | None = None
    cert: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class Target:
    """A server: an Internet address or a Unix socket, and the way to it.

    :ivar timeout: seconds for resolving, connecting and the TLS handshake together.
    """

    host: str
    port: int
    unix: str | None
    tls: TLSChoice | None
    timeout: float

    def __str__(self) -> str:
        return self.unix or f"{self.host} {self.port}"


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
        if len(address) > 2:
            raise click.UsageError(f"Got an unexpected argument: {address[2]}.")
        host = bare_host(address[0]) if address else "localhost"
        port = port_number(address[1]) if len(address) > 1 else default_port
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


def port_number(text: str) -> int:
    """Return *text* as a port, 1–65535.

    :raises click.UsageError: when it is none.
    """
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise click.UsageError(f"{text!r} is not a port (1-65535).")
    return int(text)


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


def stream_options(command: Callable[..., int]) -> Callable[..., int]:
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
    ) -> int:
        return command(route=Route(unix, tls, tls_name, cafile, cert, key, timeout), **others)

    for option in reversed(_STREAM_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def address_argument(default_port: int) -> Callable[[_Command], _Command]:
    """Give a click command ``[HOST [PORT]]`` as its parameter ``address``."""
    metavar = f"[HOST (localhost) [PORT ({default_port})]]"
    return click.argument("address", nargs=-1, metavar=metavar)


def epilog(examples: Sequence[str], failed: str, success: str = "success") -> str:
    """Return the end of a ``--help``: examples, and what each exit status means."""
    lines = ["\b", "Examples:", *(f"  {example}" for example in examples)]
    statuses = [f"  0    {success}", f"  1    {failed}", "  2    usage error", "  130  Ctrl-C"]
    return "\n".join([*lines, "", "\b", "Exit status:", *statuses])
