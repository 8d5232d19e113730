"""``socketsuite udp``: the command around an exchange of datagrams.

This module must not know how datagrams travel; see :mod:`socketsuite.cli.datagrams`.
"""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Sequence
from typing import Any

import click

from socketsuite.cli.datagram_socket import SocketChoice
from socketsuite.cli.options import (
    Seconds,
    bare_host,
    epilog,
    host_and_port,
    json_option,
    pass_output,
)
from socketsuite.cli.output import Output
from socketsuite.wire.printable import printable

_DEFAULT_PORT = 9000
_HOPS = click.IntRange(0, 255)
_BYTES = click.IntRange(min=1)


def _bind_address(_context: Any, _option: Any, text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    host, colon, port = text.rpartition(":")
    digits = port.isascii() and port.isdigit() and len(port) <= 5
    if not colon or not digits or int(port) > 65535:
        raise click.BadParameter("give ADDR:PORT, such as 0.0.0.0:9000 or [::]:9000.")
    return bare_host(host) if host else "", int(port)


@click.command(
    epilog=epilog(
        [
            "socketsuite udp localhost 9000",
            "echo ping | socketsuite udp --connect --count 1 192.0.2.7 7",
            "socketsuite udp --data head --data body localhost 9000",
            "socketsuite udp --bind :9000 --join-group 239.1.2.3 239.1.2.3 9000",
        ],
        "unknown host, refused, not sent, or too few answers for --count",
        "everything sent",
    )
)
@click.argument("address", nargs=-1, metavar=f"[HOST (localhost) [PORT ({_DEFAULT_PORT})]]")
@click.option("--data", multiple=True, help="No input: one datagram, made of every --data.")
@click.option("--connect", is_flag=True, help="Hear HOST PORT only, and its refusals.")
@click.option(
    "--wait",
    type=Seconds(or_none=True),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="For late answers, after the last datagram.",
)
@click.option("--count", type=click.IntRange(min=1), help="End after so many answers.")
@click.option("-4", "family", flag_value=int(socket.AF_INET), type=int, help="IPv4 only.")
@click.option("-6", "family", flag_value=int(socket.AF_INET6), type=int, help="IPv6 only.")
@click.option("--bind", metavar="ADDR:PORT", callback=_bind_address, help="Send from there.")
@click.option("--broadcast", is_flag=True, help="Allow a broadcast address.")
@click.option("--ttl", type=click.IntRange(1, 255), help="Hops of a datagram.")
@click.option("--multicast-ttl", type=_HOPS, help="Hops of a multicast datagram.")
@click.option(
    "--multicast-loop/--no-multicast-loop",
    default=None,
    help="Whether this machine hears its own multicasts.",
)
@click.option(
    "--multicast-interface",
    metavar="ADDR",
    help="Multicast through that interface: its address; for IPv6 its name.",
)
@click.option("--join-group", multiple=True, metavar="GROUP", help="Hear a multicast group.")
@click.option("--source", metavar="ADDR", help="Hear the groups from that sender only (IPv4).")
@click.option("--recv-buffer", type=_BYTES, metavar="BYTES", help="The kernel's, for answers.")
@click.option("--send-buffer", type=_BYTES, metavar="BYTES", help="The kernel's, for sending.")
@json_option
@pass_output
def udp(
    output: Output,
    /,
    address: Sequence[str],
    data: Sequence[str],
    wait: float,
    count: int | None,
    family: int | None,
    **options: Any,
) -> None:
    """Send each line typed as one datagram, show the answers, one per line.

    LF (or CR LF) ends a line and is not sent; an empty line is an empty datagram. Without
    --connect, anybody's answer is shown, behind its sender's address.

    A datagram holds at most 65,507 bytes over IPv4.
    """
    from socketsuite.cli.datagrams import Exchange, exchange
    from socketsuite.cli.run import run

    host, port = host_and_port(address, _DEFAULT_PORT, "udp")
    if options["source"] is not None and not options["join_group"]:
        raise click.UsageError("--source needs --join-group.")
    choice = SocketChoice(**options)
    plan = Exchange(
        host=host,
        port=port,
        family=family or 0,
        choice=choice,
        datagram=[os.fsencode(part) for part in data] or None,
        wait=wait,
        count=count,
    )
    output.peer = plan.peer
    output.totals |= {"sent": 0, "answers": 0}

    def show(answer: bytes, sender: str) -> None:
        if output.as_json:
            output.row("answer", peer=sender, bytes=len(answer), **_content(answer))
        else:
            _show_line(output, answer, None if choice.connect else sender)

    async def work(reactor: Any) -> None:
        await exchange(reactor, plan, show, output.totals)

    run(work, output)


def _content(answer: bytes) -> dict[str, Any]:
    try:
        return {"text": answer.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(answer).decode()}


def _show_line(output: Output, answer: bytes, sender: str | None) -> None:
    line = answer.removesuffix(b"\n")
    if os.isatty(1):
        line = printable(line)
    output.line((f"{sender} ".encode() if sender else b"") + line)
