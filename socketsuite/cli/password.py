"""``socketsuite password``: makes a line of a file of accounts out of a password.

This module must not know what daemon reads the line.
"""

from __future__ import annotations

import os
import secrets
import termios
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from socketsuite.cli.options import epilog, json_option, pass_output
from socketsuite.cli.output import Output
from socketsuite.cli.stopping import last_acts
from socketsuite.transport.dial.failed import Failed, os_cause
from socketsuite.wire.account_line import ARGON2, AccountLine, AccountLineError, check_name
from socketsuite.wire.names import BadNameError, checked_nick
from socketsuite.wire.passwords import BadPasswordError, prepared
from socketsuite.wire.scram import Verifier

_LONGEST_LINE = 4096


@click.command(
    epilog=epilog(
        [
            "socketsuite password alice >> accounts",
            "pwgen -s 20 1 | socketsuite password --scram alice",
        ],
        "the password could not be read",
        "the line is printed",
    )
)
@click.argument("name")
@click.option("--scram", is_flag=True, help="Add a verifier, by which SCRAM-SHA-256 works, too.")
@json_option
@pass_output
def password(output: Output, name: str, scram: bool) -> None:
    """Print the line of a chat's account NAME, for a password that is read.

    The password is read from the terminal, twice and unseen, or is the first line of standard
    input.  The line is for the files of the chat's --accounts and --operators.
    """
    from argon2 import PasswordHasher

    name = unicodedata.normalize("NFC", name)
    try:
        check_name(name)
        checked_nick(name)
        secret = prepared(_asked(name) if os.isatty(0) else _line())
    except (AccountLineError, BadNameError) as error:
        raise click.UsageError(f"NAME: {error}.") from None
    except BadPasswordError as error:
        raise click.UsageError(f"{error}.") from None
    hasher = PasswordHasher(*ARGON2)
    verifier = Verifier.of(secret, secrets.token_bytes(16)) if scram else None
    line = str(AccountLine(name, hasher.hash(secret), verifier))
    if output.as_json:
        output.row("account", name=name, line=line)
    else:
        output.line(line)


def _asked(name: str) -> str:
    """Return what is typed twice."""
    with _without_echo():
        first = _typed(f"Password for {name}: ")
        prepared(first)  # what cannot be one need not be typed again
        if _typed("Once more: ") != first:
            raise click.UsageError("the two passwords are not the same.")
    return first


def _typed(prompt: str) -> str:
    with suppress(OSError):
        os.write(2, prompt.encode("utf-8", "replace"))
    try:
        return _line()
    finally:
        with suppress(OSError):
            os.write(2, b"\n")  # what was typed is not echoed, and the line's end neither


@contextmanager
def _without_echo() -> Iterator[None]:
    """Have the terminal show nothing of what is typed, until the end, however that comes."""
    before = termios.tcgetattr(0)
    silent = termios.tcgetattr(0)
    silent[3] &= ~(termios.ECHO | termios.ECHONL)

    def restore() -> None:
        with suppress(OSError, termios.error):
            termios.tcsetattr(0, termios.TCSANOW, before)

    last_acts.append(restore)
    try:
        # What was typed before the prompt was seen on the screen, and is no password.
        termios.tcsetattr(0, termios.TCSAFLUSH, silent)
        yield
    finally:
        restore()
        last_acts.remove(restore)


def _line() -> str:
    """Return the first line of standard input, without its end.

    Byte by byte from a pipe costs nothing here, and takes nothing from who reads behind us.
    """
    data = bytearray()
    try:
        while len(data) <= _LONGEST_LINE and not data.endswith(b"\n"):
            byte = os.read(0, 1)
            if not byte:
                break
            data += byte
    except OSError as error:
        raise Failed(f"cannot read standard input: {os_cause(error)}", "input") from None
    if not data:
        raise Failed("no password: standard input has ended.", "input")
    try:
        return bytes(data).removesuffix(b"\n").removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise click.UsageError("the password is not UTF-8.") from None
