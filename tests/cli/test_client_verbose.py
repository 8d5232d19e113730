"""``-v`` of connect and probe: what became known of a server by connecting to it."""

from __future__ import annotations

import datetime
import hashlib
import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cli.conftest import Authority, Client, Serve
from tests.cli.contract import read
from tests.cli.servers import echo, swallow
from tests.support.ports import free_port

EXPIRES = datetime.datetime(2031, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)


def certificate_of(port: int) -> bytes:
    """Return what a server shows, as the standard library sees it."""
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port)))


def strange_certificate(folder: Path, name: str) -> Path:
    """Return a PEM file with a self-signed certificate of any *name*, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name, _validate=False)])
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1)
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(EXPIRES)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "strange.pem"
    path.write_bytes(private + certificate.public_bytes(pem))
    return path


@pytest.mark.parametrize("command", ["connect", "probe"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_server_s_tls_and_certificate_are_told_on_standard_error(
    client: Client, serve: Serve, authority: Authority, command: str, version: ssl.TLSVersion
) -> None:
    context = authority.server(not_after=EXPIRES)
    context.minimum_version = context.maximum_version = version
    port = serve(echo, tls=context).port
    shown = certificate_of(port)
    done = client(command, "-v", "--tls", "--cafile", authority.cafile, f"localhost:{port}")
    assert done.returncode == 0
    assert done.stdout in (b"", f"localhost:{port} open\n".encode())
    where, tls, subject, issuer, until, digest = [
        line.removeprefix(f"localhost:{port}: ") for line in done.stderr.decode().splitlines()
    ]
    assert where == f"connected to 127.0.0.1:{port}"
    assert tls.startswith("TLSv1.2, ECDHE-" if version is version.TLSv1_2 else "TLSv1.3, TLS_")
    parsed = x509.load_der_x509_certificate(shown)
    assert subject == f"certificate for {parsed.subject.rfc4514_string()}"
    assert issuer == f"issued by {parsed.issuer.rfc4514_string()}"
    assert until == "valid until 2031-02-03T04:05:06Z"
    assert digest == f"SHA-256 {hashlib.sha256(shown).hexdigest()}"


def test_without_v_standard_error_is_silent_and_json_has_no_more_keys(
    client: Client, serve: Serve, authority: Authority
) -> None:
    port = serve(swallow, tls=authority.server()).port
    arguments = ("--tls", "--cafile", authority.cafile, f"localhost:{port}")
    assert client("connect", *arguments).stderr == b""
    assert client("probe", *arguments).stderr == b""
    rows, _ = read(client("probe", "--json", *arguments).stdout)
    assert {"address", "tls"} & set(rows[0]) == set()


def facts_of(client: Client, command: str, *arguments: Any) -> tuple[dict[str, Any], Any]:
    """Return the one event with facts, and the result."""
    done = client(command, "-v", "--json", *arguments)
    (row,), result = read(done.stderr if command == "connect" else done.stdout)
    assert row["event"] == ("connected" if command == "connect" else "port")
    return row, result


@pytest.mark.parametrize("command", ["connect", "probe"])
def test_json_has_the_facts_in_fields_of_an_event(
    client: Client, serve: Serve, authority: Authority, command: str
) -> None:
    port = serve(swallow, tls=authority.server(not_after=EXPIRES)).port
    arguments = ("--tls", "--cafile", authority.cafile, f"localhost:{port}")
    row, result = facts_of(client, command, *arguments)
    assert result["status"] == 0
    assert row["peer"] == f"localhost:{port}"
    assert row["address"] == f"127.0.0.1:{port}"
    assert row["tls"]["version"] == "TLSv1.3"
    assert row["tls"]["cipher"].startswith("TLS_")
    assert row["tls"]["certificate"]["expires"] == "2031-02-03T04:05:06Z"
    digest = hashlib.sha256(certificate_of(port)).hexdigest()
    assert row["tls"]["certificate"]["sha256"] == digest


@pytest.mark.parametrize("command", ["connect", "probe"])
def test_without_tls_there_is_the_address_alone(
    client: Client, serve: Serve, tmp_path: Path, command: str
) -> None:
    port = serve(swallow).port
    row, _ = facts_of(client, command, f"127.0.0.1:{port}")
    assert (row["address"], row["tls"]) == (f"127.0.0.1:{port}", None)
    path = tmp_path / "socket"
    serve(swallow, family=socket.AF_UNIX, address=str(path))
    row, _ = facts_of(client, command, "--unix", path)
    assert (row["address"], row["tls"]) == (f"unix:{path}", None)


@pytest.mark.parametrize("command", ["connect", "probe"])
def test_a_refused_certificate_is_told_too(
    client: Client, serve: Serve, authority: Authority, command: str
) -> None:
    port = serve(swallow, tls=authority.server("other.example", not_after=EXPIRES)).port
    arguments = ("--tls", "--cafile", authority.cafile, f"localhost:{port}")
    row, result = facts_of(client, command, *arguments)
    assert result["status"] == 1
    assert row["tls"]["certificate"]["expires"] == "2031-02-03T04:05:06Z"
    unknown, _ = facts_of(client, command, "--tls", f"localhost:{port}")
    assert unknown["tls"]["certificate"] == row["tls"]["certificate"]


def test_a_closed_port_has_no_facts(client: Client) -> None:
    row, _ = facts_of(client, "probe", "127.0.0.1", free_port())
    assert (row["state"], row["address"], row["tls"]) == ("closed", None, None)
    done = client("connect", "-v", "127.0.0.1", free_port())
    assert done.stderr.startswith(b"No server at 127.0.0.1 ")
    assert done.stderr.count(b"\n") == 1


def test_what_does_not_speak_tls_has_an_address_and_no_tls(client: Client, serve: Serve) -> None:
    def greet(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(b"Welcome (Echo server)\n" * 20)
        swallow(connection)

    port = serve(greet).port
    row, _ = facts_of(client, "probe", "--tls", f"localhost:{port}")
    assert (row["state"], row["address"], row["tls"]) == ("closed", f"127.0.0.1:{port}", None)


@pytest.mark.parametrize("command", ["connect", "probe"])
def test_a_certificate_writes_nothing_but_one_bounded_line(
    client: Client, serve: Serve, tmp_path: Path, command: str
) -> None:
    name = "\x1b[31mred\nNo server\u202e" + "x" * 5000
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(strange_certificate(tmp_path, name))
    port = serve(swallow, tls=context).port
    done = client(command, "-v", "--tls", f"localhost:{port}")
    lines = done.stderr.decode().splitlines()
    assert all(line.isprintable() for line in lines)
    (subject,) = [line for line in lines if "certificate for" in line]
    assert "CN=" in subject
    assert len(subject) < 300
    assert not [line for line in lines if line.startswith("No server ") and "localhost" not in line]
    done = client(command, "-v", "--json", "--tls", f"localhost:{port}")
    output = done.stderr if command == "connect" else done.stdout
    facts = json.loads(output.splitlines()[0])["tls"]["certificate"]
    assert facts["subject"].isprintable()
    assert len(facts["subject"]) < 300
