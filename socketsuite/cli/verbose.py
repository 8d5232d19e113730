"""``--verbose``: what became known of a server by connecting to it, for people and for JSON.

This module must not know how that is found out, nor import Twisted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from socketsuite.cli.output import Output
from socketsuite.transport.dial.target import Target

if TYPE_CHECKING:
    from socketsuite.transport.dial.facts import Facts

verbose_option = click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Tell address, TLS version, cipher and certificate, on standard error.",
)


def note_facts(output: Output, target: Target, facts: Facts | None) -> None:
    """Tell a person what is known, each line on standard error behind the server's name."""
    for line in _lines(facts) if facts is not None else ():
        output.note(f"{target.unix or target.peer}: {line}")


def facts_row(facts: Facts | None) -> dict[str, Any]:
    """Return the keys that --json has for what is known."""
    return {"address": None, "tls": None} if facts is None else asdict(facts)


def _lines(facts: Facts) -> Iterator[str]:
    yield f"connected to {facts.address}"
    tls = facts.tls
    if tls is None:
        return
    if tls.version is not None:
        yield f"{tls.version}, {tls.cipher}"
    if tls.certificate is not None:
        yield f"certificate for {tls.certificate.subject or '(no subject)'}"
        yield f"issued by {tls.certificate.issuer or '(no issuer)'}"
        yield f"valid until {tls.certificate.expires or '(no date)'}"
        yield f"SHA-256 {tls.certificate.sha256}"
