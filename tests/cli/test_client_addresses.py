"""How a server may be written, and what is said of what is none."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from tests.cli.conftest import Client, Serve
from tests.cli.servers import TIMEOUT, echo, swallow
from tests.support.ports import free_port

LABEL = "x" * 63


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1"])
def test_host_and_port_may_be_one_word(client: Client, serve: Serve, host: str) -> None:
    done = client("connect", f"{host}:{serve(echo).port}", input=b"x")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"x", b"")


def test_an_ipv6_address_with_a_port_is_in_brackets(client: Client, serve: Serve) -> None:
    port = serve(echo, family=socket.AF_INET6, address=("::1", 0)).port
    done = client("connect", f"[::1]:{port}", input=b"x")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"x", b"")


@pytest.mark.sampled(5)
@pytest.mark.parametrize("command", ["accumulate", "connect", "send", "udp"])
@pytest.mark.parametrize("words", ["here:nosuch", "here:0", "here:1 2", "here +80"])
def test_what_is_no_port_is_a_usage_error(client: Client, command: str, words: str) -> None:
    file = ["/dev/null"] if command == "send" else []
    done = client(command, *words.split(), *file)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)


@pytest.mark.parametrize("port", ["9" * 5000, "65536", "-1", "٣", "80 ", ""])
def test_no_text_is_too_strange_for_a_port(client: Client, port: str) -> None:
    done = client("connect", "--", "localhost", port)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)


def test_a_service_has_a_name_for_each_protocol(client: Client) -> None:
    done = client("connect", "127.0.0.1", "tcpmux")
    assert done.stderr == b"No server at 127.0.0.1 1: connection refused\n"
    done = client("udp", "--connect", "--data", "x", "127.0.0.1:tcpmux")
    assert (done.returncode, b"'tcpmux' is not a port" in done.stderr) == (2, True)


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("host", "cause"),
    [
        ("nosuch.invalid", "unknown host"),
        ("bücher.invalid", "unknown host"),
        (".".join([LABEL] * 5), "unknown host"),
        ("x" * 64, "not a host name"),
        ("x" * 100_000, "not a host name"),
        ("a..b", "not a host name"),
        ("\udc80", "not a host name"),
        ("xn--ü", "not a host name"),
        ("fe80::1%nosuch", "there is no network interface nosuch"),
        ("%lo", "unknown host"),
    ],
)
@pytest.mark.parametrize("command", ["connect", "probe", "udp"])
def test_no_such_host_is_one_line(client: Client, command: str, host: str, cause: str) -> None:
    more = ["--data", "x"] if command == "udp" else []
    done = client(command, *more, host, "80")
    said = done.stdout if command == "probe" else done.stderr
    assert done.returncode == 1
    assert (said.count(b"\n"), b"\n" not in said[:-1]) == (1, True)
    assert cause.encode() in said
    assert b"Traceback" not in done.stderr


def test_the_next_address_is_tried_as_soon_as_one_refuses(serve: Serve) -> None:
    good = ("127.0.0.1", serve(swallow).port)
    bad = ("127.0.0.1", free_port())
    code = (
        "import socket\n"
        "from twisted.internet import task\n"
        "from twisted.internet.defer import Deferred\n"
        "from socketsuite.transport.dial.connecting import Address, connect\n"
        "class Never:\n"
        "    active = cancel = lambda self: False\n"
        "async def work(reactor):\n"
        "    reactor.callLater = lambda *_: Never()\n"
        f"    places = [Address(socket.AF_INET, one) for one in ({bad}, {bad}, {good})]\n"
        "    with await connect(reactor, places) as found: print(found.getpeername())\n"
        "    try: await connect(reactor, places[:2])\n"
        "    except ConnectionRefusedError: print('refused')\n"
        "task.react(lambda reactor: Deferred.fromCoroutine(work(reactor)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=TIMEOUT, check=False
    )
    assert (done.stdout.decode(), done.stderr) == (f"{good}\nrefused\n", b"")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "0", "-1", "1e300", "x"])
def test_no_time_is_too_strange_for_a_time_out(client: Client, value: str) -> None:
    for option in ("--timeout", "--close-timeout"):
        done = client("send", f"{option}={value}", "localhost", "1", "/dev/null")
        assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
