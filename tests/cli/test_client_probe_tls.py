"""``probe --tls`` tells the same truth as ``connect --tls``."""

from __future__ import annotations

import contextlib
import socket
import ssl

import pytest

from tests.cli.conftest import Authority, Client, Serve
from tests.cli.contract import read
from tests.cli.servers import TIMEOUT, Handler, swallow

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
NOT_TLS = b"No server at localhost %d: TLS: it does not speak TLS\n"


def asking(authority: Authority, mode: ssl.VerifyMode, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = authority.server()
    context.minimum_version = context.maximum_version = version
    context.verify_mode = mode
    authority.ca.configure_trust(context)
    return context


def quiet(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        swallow(connection)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_that_wants_a_certificate_is_closed_without_one(
    client: Client, serve: Serve, authority: Authority, version: ssl.TLSVersion
) -> None:
    port = serve(quiet, tls=asking(authority, ssl.CERT_REQUIRED, version)).port
    done = client("probe", "--tls", "--cafile", authority.cafile, "localhost", port)
    assert done.returncode == 1
    assert done.stdout.startswith(b"localhost:%d closed (TLS: it " % port)
    assert b"client certificate (--cert)" in done.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_that_wants_a_certificate_is_open_with_one(
    client: Client, serve: Serve, authority: Authority, version: ssl.TLSVersion
) -> None:
    port = serve(quiet, tls=asking(authority, ssl.CERT_REQUIRED, version)).port
    trust = ("--tls", "--cafile", authority.cafile, "--cert", authority.client_certificate())
    done = client("probe", "--json", *trust, "localhost", port)
    rows, _ = read(done.stdout)
    assert (done.returncode, rows[0]["state"]) == (0, "open")


def test_a_server_that_asks_and_does_without_is_open_and_not_waited_for(
    client: Client, serve: Serve, authority: Authority
) -> None:
    """Its first word after the handshake, a session ticket, is its verdict."""
    port = serve(quiet, tls=asking(authority, ssl.CERT_OPTIONAL, VERSIONS[1])).port
    trust = ("--tls", "--cafile", authority.cafile)
    rows, _ = read(client("probe", "--json", *trust, "localhost", port).stdout)
    assert rows[0]["state"] == "open"
    assert rows[0]["duration"] < 1


def test_a_server_that_asks_and_then_says_nothing_is_open(
    client: Client, serve: Serve, authority: Authority
) -> None:
    context = asking(authority, ssl.CERT_OPTIONAL, VERSIONS[1])
    context.num_tickets = 0
    port = serve(quiet, tls=context).port
    trust = ("--tls", "--cafile", authority.cafile)
    rows, _ = read(client("probe", "--json", *trust, "localhost", port).stdout)
    assert rows[0]["state"] == "open"
    assert rows[0]["duration"] >= 1


def test_a_silent_server_that_does_not_ask_is_not_waited_for(
    client: Client, serve: Serve, authority: Authority
) -> None:
    context = authority.server()
    context.num_tickets = 0
    port = serve(quiet, tls=context).port
    trust = ("--tls", "--cafile", authority.cafile)
    rows, _ = read(client("probe", "--json", *trust, "localhost", port).stdout)
    assert rows[0]["state"] == "open"
    assert rows[0]["duration"] < 1


def echo(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := connection.recv(1 << 16):
            connection.sendall(data)


def says(greeting: bytes) -> Handler:
    def greet(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.sendall(greeting)
            while connection.recv(1 << 16):
                pass

    return greet


@pytest.mark.sampled(5)
@pytest.mark.parametrize("command", ["connect", "probe", "send", "accumulate"])
@pytest.mark.parametrize(
    "handler",
    [
        echo,
        says(b"2"),
        says(b"220 mail ready\r\n"),
        says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        says(b"\x16\x03\x01\x02\x00\x01 a hello of a client"),
        says(b"\x15\x00"),
    ],
    ids=["echo", "a byte", "smtp", "http", "client hello", "almost an alert"],
)
def test_what_does_not_speak_tls_is_told_at_once(
    client: Client, serve: Serve, command: str, handler: Handler
) -> None:
    port = serve(handler).port
    file = ["/dev/null"] if command == "send" else []
    done = client(command, "--json", "--tls", "--timeout", TIMEOUT, "localhost", port, *file)
    rows, result = read(done.stderr if command == "connect" else done.stdout)
    error = rows[0]["error"] if command == "probe" else result["error"]
    assert (done.returncode, error["code"]) == (1, "not-tls")
    assert error["message"] + "\n" == (NOT_TLS % port).decode()


def test_a_server_that_hangs_up_in_the_handshake_is_said_to(client: Client, serve: Serve) -> None:
    port = serve(lambda connection: connection.recv(1 << 16)).port
    done = client("connect", "--tls", "localhost", port)
    expected = f"No server at localhost {port}: TLS: it closed the connection during the handshake"
    assert (done.returncode, done.stderr.decode()) == (1, expected + "\n")
