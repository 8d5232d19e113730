"""TLS in front of a service: real handshakes, by Python and by the programs at hand."""

from __future__ import annotations

import contextlib
import re
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from socketsuite.testing import Daemon, read_all, read_exactly, read_line
from tests.daemons.conftest import Start
from tests.support.outside import (
    MEGABYTE,
    at_work,
    comes_back_to_a_late_reader,
    memory,
    piped,
    reset,
)
from tests.support.peers import program


@dataclass(frozen=True)
class Authority:
    """A certificate authority, with a server's certificate of its own, in files."""

    ca: trustme.CA
    certificate: Path
    key: Path
    trusted: Path

    @classmethod
    def make(cls, folder: Path) -> Authority:
        ca = trustme.CA()
        issued = ca.issue_cert("localhost", "127.0.0.1")
        made = cls(ca, folder / "cert.pem", folder / "key.pem", folder / "ca.pem")
        made.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(made.key)
        ca.cert_pem.write_to_path(made.trusted)
        return made

    @property
    def flags(self) -> tuple[str, ...]:
        return ("--tls-cert", str(self.certificate), "--tls-key", str(self.key))

    def client(self) -> ssl.SSLContext:
        """Return the configuration of a client that trusts this authority."""
        return ssl.create_default_context(cafile=str(self.trusted))

    def known_client(self) -> ssl.SSLContext:
        """Return that of a client that has a certificate from here, too."""
        context = self.client()
        self.ca.issue_cert("client@example.org").configure_cert(context)
        return context


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("strangers"))


@pytest.fixture
def echo(serve: Start, ours: Authority) -> Daemon:
    return serve("socketsuite-echo", "--no-udp", *ours.flags)


@pytest.fixture
def closed_chat(serve: Start, ours: Authority) -> Daemon:
    """A chat that lets in only those with a certificate, and greets them."""
    arguments = ("--banner", "You are in", "--tls-client-ca", str(ours.trusted))
    return serve("socketsuite-chat", *ours.flags, *arguments)


def secured(daemon: Daemon, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Return a connection whose server has been verified."""
    plain = daemon.connect(port=daemon.port("tls"))
    return context.wrap_socket(plain, server_hostname="localhost")


def entered(member: ssl.SSLSocket) -> ssl.SSLSocket:
    assert read_line(member) == b"You are in\n"
    return member


def test_a_verified_client_gets_the_echo(echo: Daemon, ours: Authority) -> None:
    with secured(echo, ours.client()) as caller:
        assert caller.version() == "TLSv1.3"
        caller.sendall(b"hello")
        assert read_exactly(caller, 5) == b"hello"
    echo.wait_for_line(r"closed transport=tls peer=127\.0\.0\.1:\d+ bytes_in=5 bytes_out=5 ")


def test_tls_1_2_is_spoken_and_1_1_is_refused(echo: Daemon, ours: Authority) -> None:
    context = ours.client()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with secured(echo, context) as caller:
        caller.sendall(b"hello")
        assert read_exactly(caller, 5) == b"hello"
        assert caller.version() == "TLSv1.2"
    # Everything the client's own library would refuse is allowed: the server must do it.
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match="alert protocol version"):
        secured(echo, context)


def test_the_certificate_is_not_for_another_name_or_authority(
    echo: Daemon, ours: Authority, strangers: Authority
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        secured(echo, strangers.client())
    plain = echo.connect(port=echo.port("tls"))
    with plain, pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        ours.client().wrap_socket(plain, server_hostname="example.org")


def test_members_with_certificates_talk(closed_chat: Daemon, ours: Authority) -> None:
    with (
        entered(secured(closed_chat, ours.known_client())) as anna,
        entered(secured(closed_chat, ours.known_client())) as boris,
    ):
        anna.sendall(b"hello\n")
        assert read_line(boris) == b"-> hello\n"


def test_plain_text_gets_no_service(closed_chat: Daemon, ours: Authority) -> None:
    with entered(secured(closed_chat, ours.known_client())) as listener:
        answer = b""
        with (
            contextlib.suppress(ConnectionResetError),
            closed_chat.connect(port=closed_chat.port("tls")) as plain,
        ):
            plain.sendall(b"hello, is this the chat?\n")
            answer = read_all(plain)
        # A TLS alert (record type 21) is all that it may get.
        assert answer[:1] in (b"", b"\x15")
        assert len(answer) < 16
        with entered(secured(closed_chat, ours.known_client())) as speaker:
            speaker.sendall(b"members only\n")
            assert read_line(listener) == b"-> members only\n"
    assert closed_chat.stop() == 0
    assert "Traceback" not in closed_chat.log


def test_whoever_has_not_finished_the_handshake_is_no_member(serve: Start, ours: Authority) -> None:
    chat = serve("socketsuite-chat", *ours.flags, "--banner", "You are in")
    late = chat.connect(port=chat.port("tls"))
    peer = "{}:{}".format(*late.getsockname())
    chat.wait_for_line(f"connected transport=tls peer={peer}")
    with (
        entered(secured(chat, ours.client())) as listener,
        entered(secured(chat, ours.client())) as speaker,
    ):
        speaker.sendall(b"before\n")
        assert read_line(listener) == b"-> before\n"
        with entered(ours.client().wrap_socket(late, server_hostname="localhost")) as member:
            speaker.sendall(b"after\n")
            assert read_line(member) == b"-> after\n"


@pytest.mark.parametrize(
    "client",
    [
        "openssl s_client -quiet -verify_return_error -CAfile {ca} -connect localhost:{port}",
        "ncat --ssl-verify --ssl-trustfile {ca} localhost {port}",
        "socat - OPENSSL:localhost:{port},cafile={ca}",
    ],
)
def test_a_person_with_a_tls_program_gets_the_echo(
    echo: Daemon, ours: Authority, client: str
) -> None:
    name, *arguments = client.format(ca=ours.trusted, port=echo.port("tls")).split()
    with at_work(program(name), *arguments) as terminal:
        for line in (b"hello\n", b"again\n"):
            terminal.sendall(line)
            assert read_line(terminal) == line


@pytest.mark.parametrize(
    "client",
    [
        "ncat --ssl-verify --ssl-trustfile {ca} localhost {port}",
        "socat -t20 - OPENSSL:localhost:{port},cafile={ca}",
    ],
)
def test_a_megabyte_piped_through_tls_comes_back(
    echo: Daemon, ours: Authority, client: str
) -> None:
    text = b"0123456789abcdef" * (MEGABYTE // 16)
    name, *arguments = client.format(ca=ours.trusted, port=echo.port("tls")).split()
    assert piped(text, program(name), *arguments) == text


def test_100_megabytes_come_back_through_tls_to_a_slow_reader(
    echo: Daemon, ours: Authority
) -> None:
    before = memory(echo)
    server = f"OPENSSL:localhost:{echo.port('tls')},cafile={ours.trusted}"
    with at_work(program("socat"), "-t20", "-", server) as caller:
        comes_back_to_a_late_reader(caller, 100 * MEGABYTE)
    assert memory(echo, "VmHWM") - before < 24 * MEGABYTE


def test_an_answer_is_whole_and_its_end_is_no_truncation(serve: Start, ours: Authority) -> None:
    daytime = serve("socketsuite-daytime", "--no-udp", *ours.flags)
    context = ours.client()
    for _ in range(20):
        with secured(daytime, context) as caller:
            caller.sendall(b"what time is it?")
            # Without the server's close alert, Python would raise SSLEOFError here.
            assert re.fullmatch(rb"\d\d \w{3} \d{4} \S+ \S+\r\n", read_all(caller))


def test_chargen_holds_nothing_for_a_tls_caller_who_does_not_read(
    serve: Start, ours: Authority
) -> None:
    chargen = serve("socketsuite-chargen", "--no-udp", *ours.flags)
    before = memory(chargen)
    context = ours.client()
    with secured(chargen, context) as stalled, secured(chargen, context) as reader:
        assert stalled.recv(3) == b' !"'
        count = 0
        while count < 20 * MEGABYTE:
            count += len(reader.recv(1 << 16))
    assert memory(chargen, "VmHWM") - before < 24 * MEGABYTE


def test_a_tls_caller_who_vanishes_disturbs_nobody(echo: Daemon, ours: Authority) -> None:
    with secured(echo, ours.client()) as other:
        for _ in range(10):
            caller = secured(echo, ours.client())
            caller.sendall(b"x" * 10_000)
            reset(caller)
            other.sendall(b"still here\n")
            assert read_line(other) == b"still here\n"
    assert echo.stop() == 0
    assert "Traceback" not in echo.log


def test_handshakes_that_stall_do_not_delay_others(echo: Daemon, ours: Authority) -> None:
    stalled = [echo.connect(port=echo.port("tls")) for _ in range(100)]
    started = time.monotonic()
    with secured(echo, ours.client()) as caller:
        caller.sendall(b"hello")
        assert read_exactly(caller, 5) == b"hello"
    assert time.monotonic() - started < 5
    for one in stalled:
        one.close()
