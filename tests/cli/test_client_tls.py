"""TLS in the clients: verified, explained, half-closed."""

from __future__ import annotations

import datetime
import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.cli.conftest import Authority, Client, Serve
from tests.cli.servers import echo, echo_afterwards, goodbye, swallow


def words(done: Any, port: int) -> str:
    """Return the cause from the one line on standard error."""
    assert done.returncode == 1
    assert done.stdout == b""
    text: str = done.stderr.decode()
    start = f"No server at localhost {port}: "
    assert text.startswith(start)
    assert text.count("\n") == 1
    return text.removeprefix(start).rstrip("\n")


@pytest.mark.parametrize("handler", [echo, echo_afterwards])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_end_of_input_half_closes_and_the_whole_answer_comes(
    client: Client, serve: Serve, authority: Authority, handler: Any, version: ssl.TLSVersion
) -> None:
    context = authority.server()
    context.minimum_version = context.maximum_version = version
    port = serve(handler, tls=context).port
    sent = bytes(range(256)) * 2000
    done = client("connect", "--tls", "--cafile", authority.cafile, "localhost", port, input=sent)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == sent


def test_an_authority_from_the_system_is_trusted(
    client: Client, serve: Serve, authority: Authority
) -> None:
    port = serve(echo, tls=authority.server()).port
    env = {"SSL_CERT_FILE": str(authority.cafile)}
    done = client("connect", "--tls", "localhost", port, input=b"hello", env=env)
    assert (done.returncode, done.stdout) == (0, b"hello")


def test_an_unknown_authority_is_refused(
    client: Client, serve: Serve, authority: Authority
) -> None:
    port = serve(swallow, tls=authority.server()).port
    done = client("connect", "--tls", "localhost", port)
    assert words(done, port).startswith("TLS: its certificate is signed by nobody trusted here")


def test_another_name_is_refused(client: Client, serve: Serve, authority: Authority) -> None:
    port = serve(swallow, tls=authority.server("other.example")).port
    done = client("connect", "--tls", "--cafile", authority.cafile, "localhost", port)
    assert words(done, port) == "TLS: its certificate is not for localhost"


def test_another_name_can_be_asked_for(client: Client, serve: Serve, authority: Authority) -> None:
    port = serve(echo, tls=authority.server("other.example")).port
    done = client(
        *("connect", "--tls", "--cafile", authority.cafile, "--tls-name", "other.example"),
        *("localhost", port),
        input=b"hello",
    )
    assert (done.returncode, done.stdout) == (0, b"hello")


def test_an_address_is_verified_as_an_address(
    client: Client, serve: Serve, authority: Authority
) -> None:
    port = serve(echo, tls=authority.server("127.0.0.1")).port
    done = client("connect", "--tls", "--cafile", authority.cafile, "127.0.0.1", port, input=b"x")
    assert (done.returncode, done.stdout) == (0, b"x")


def test_an_expired_certificate_is_refused(
    client: Client, serve: Serve, authority: Authority
) -> None:
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    port = serve(swallow, tls=authority.server(not_after=past)).port
    done = client("connect", "--tls", "--cafile", authority.cafile, "localhost", port)
    assert words(done, port) == "TLS: its certificate has expired"


def test_a_server_without_tls_is_told_apart(client: Client, serve: Serve) -> None:
    def greet(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(b"Welcome (Echo server)\n" * 20)
        swallow(connection)

    port = serve(greet).port
    done = client("connect", "--tls", "localhost", port)
    assert words(done, port) == "TLS: it does not speak TLS"


def test_a_silent_handshake_is_given_up_after_the_timeout(client: Client, serve: Serve) -> None:
    port = serve(swallow).port
    done = client("connect", "--tls", "--timeout", "300ms", "localhost", port)
    assert words(done, port) == "no answer within 0.3 s"


def test_an_end_without_goodbye_is_an_error(
    client: Client, serve: Serve, authority: Authority
) -> None:
    def cut(connection: ssl.SSLSocket) -> None:
        while connection.recv(100):
            pass
        connection.sendall(b"half an ans")  # and then only TCP's end

    port = serve(cut, tls=authority.server()).port
    done = client("connect", "--tls", "--cafile", authority.cafile, "localhost", port, input=b"x")
    assert (done.returncode, done.stdout) == (1, b"half an ans")
    assert b"without TLS's goodbye" in done.stderr


def test_our_certificate_is_shown_when_asked_for(
    client: Client, serve: Serve, authority: Authority
) -> None:
    context = authority.server()
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)

    def who(connection: ssl.SSLSocket) -> None:
        certificate = connection.getpeercert()
        assert certificate is not None
        connection.sendall(json.dumps(certificate["subjectAltName"]).encode())
        swallow(connection)

    port = serve(who, tls=context).port
    options = ("connect", "--tls", "--cafile", authority.cafile)
    done = client(*options, "--cert", authority.client_certificate(), "localhost", port)
    assert json.loads(done.stdout) == [["email", "alice@example.org"]]
    assert done.returncode == 0


def test_a_missing_client_certificate_is_explained(
    client: Client, serve: Serve, authority: Authority
) -> None:
    context = authority.server()
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)
    port = serve(goodbye, tls=context).port
    done = client("connect", "--tls", "--cafile", authority.cafile, "localhost", port, input=b"x")
    assert words(done, port) == "TLS: it wants a client certificate (--cert)"


def test_a_key_of_another_certificate_is_one_line(
    client: Client, authority: Authority, tmp_path: Path
) -> None:
    key = tmp_path / "other.key"
    trustme.CA().issue_cert("x.example").private_key_pem.write_to_path(str(key))
    cert = authority.client_certificate()
    done = client("connect", "--tls", "--cert", cert, "--key", key, "localhost", "1")
    assert done.returncode == 1
    expected = f"the key in {key} does not belong to the certificate in {cert}\n"
    assert done.stderr.decode() == expected


def test_a_file_that_is_no_certificate_is_one_line(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing")
    done = client("connect", "--tls", "--cafile", path, "localhost", "1")
    assert done.returncode == 1
    assert done.stderr.decode() == f"{path} holds no certificate in PEM form\n"


def test_tls_options_without_tls_are_a_usage_error(client: Client) -> None:
    done = client("connect", "--tls-name", "x.example", "localhost", "1")
    assert done.returncode == 2
    assert b"--tls-name needs --tls." in done.stderr
