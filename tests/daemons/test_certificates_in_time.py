"""Certificates come and go: by SIGHUP, by the calendar, by mistake.

A mistake costs nobody a connection: what was served before is served on, and one line says
what is wrong with the new file.
"""

from __future__ import annotations

import re
import signal
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from socketsuite.testing import Daemon
from tests.daemons.conftest import Start
from tests.daemons.handshakes import Caller
from tests.support.authorities import Identity, authority, certify, pem

ROOT = authority("Our Root")
BRANCH = authority("Our Branch", ROOT)
OTHER_ROOT = authority("Their Root")
FIRST = certify("localhost", ROOT)
SECOND = certify("localhost", ROOT)
CHAINED = certify("localhost", BRANCH)
EXPIRED = certify("localhost", ROOT, since=-9, until=-1)
NOT_YET = certify("localhost", ROOT, since=1)
ANNA = certify("anna.example.org", ROOT)
BORIS = certify("boris.example.org", OTHER_ROOT)
TRANSPORTS = ("burst", "twisted")


@dataclass
class Site:
    """An echo's files, and whoever calls on it."""

    folder: Path

    def __post_init__(self) -> None:
        self.cert = self.folder / "cert.pem"
        self.key = self.folder / "key.pem"
        self.trusted = self.folder / "trusted.pem"
        self.settings = self.folder / "echo.toml"

    def lay_out(self, identity: Identity, handshake_timeout: float = 20) -> None:
        """Write every file as it should be."""
        for path, content in (
            (self.cert, identity.chain_pem),
            (self.key, identity.private_pem()),
            (self.trusted, pem(ROOT.certificate)),
            (self.settings, self.toml(handshake_timeout).encode()),
        ):
            if path.is_dir():
                path.rmdir()
            path.unlink(missing_ok=True)
            path.write_bytes(content)

    def toml(self, handshake_timeout: float) -> str:
        return (
            f"port = 0\nudp = false\ntls-cert = '{self.cert}'\ntls-key = '{self.key}'\n"
            f"tls-client-ca = '{self.trusted}'\nhandshake-timeout = {handshake_timeout}\n"
        )

    def caller(self, daemon: Daemon, identity: Identity = ANNA) -> Caller:
        context = ssl.create_default_context(cadata=pem(ROOT.certificate).decode())
        context.load_cert_chain(identity.write(self.folder / "caller.pem"))
        return Caller(daemon, context)


def echoes(caller: Caller) -> int:
    """See that *caller* is served; return the serial number of the daemon's certificate."""
    caller.shake_hands()
    caller.say(b"hello")
    assert caller.read(5) == b"hello"
    shown = caller.tls.getpeercert()
    assert shown is not None
    return int(str(shown["serialNumber"]), 16)


@dataclass
class Running:
    """The echo, and how to change its mind."""

    site: Site
    daemon: Daemon

    def reload(self) -> list[str]:
        """Send SIGHUP, and return what the log says of it."""
        before = len(self.daemon.lines)
        self.daemon.send_signal(signal.SIGHUP)
        self.daemon.wait_for_line("Z socketsuite (error )?reload", before)
        told = self.daemon.lines[before:]
        return [line for line in told if " transport=tls " not in line]

    def serves(self, identity: Identity) -> None:
        """See that a new caller is served with the certificate of *identity*."""
        with self.site.caller(self.daemon) as caller:
            assert echoes(caller) == identity.certificate.serial_number


@pytest.fixture(
    scope="module",
    # One worker for each transport, so that no daemon is started twice.
    params=[
        pytest.param(transport, marks=pytest.mark.xdist_group(f"echo on {transport}"))
        for transport in TRANSPORTS
    ],
)
def daemon(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    site = Site(tmp_path_factory.mktemp("site"))
    site.lay_out(FIRST)
    started = Daemon(
        site.folder,
        *("socketsuite-echo", "--config", str(site.settings), "--transport", request.param),
    )
    try:
        yield Running(site, started.wait_until_ready())
        assert started.stop() == 0
        assert "Traceback" not in started.log
        assert started.errors == ""
    finally:
        started.kill()


@pytest.fixture
def running(daemon: Running) -> Running:
    """The echo as it was at first, whatever became of it in the test before."""
    daemon.site.lay_out(FIRST)
    assert len(daemon.reload()) == 1
    return daemon


# ── what goes wrong with files ──────────────────────────────────────────────────────


def unreadable(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)  # not even root can read a link to itself


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def expired(site: Site) -> None:
    site.lay_out(EXPIRED)


def not_yet_valid(site: Site) -> None:
    site.lay_out(NOT_YET)


def weak(site: Site) -> None:
    site.lay_out(certify("localhost", ROOT, key=rsa.generate_private_key(65537, 1024)))


MISTAKES: dict[str, tuple[Callable[[Site], object], str]] = {
    "an expired certificate": (expired, "{cert} has expired on 20"),
    "a certificate of tomorrow": (not_yet_valid, "{cert} is not valid before 20"),
    "a weak certificate": (weak, "{cert} (--tls-cert) cannot be used: "),
    "the key of another": (
        lambda site: site.key.write_bytes(SECOND.private_pem()),
        "the key in {key} does not belong to the certificate in {cert}",
    ),
    "half a certificate": (
        lambda site: site.cert.write_bytes(SECOND.chain_pem[:300]),
        "{cert} (--tls-cert) ",
    ),
    "a chain cut short": (
        lambda site: site.cert.write_bytes(CHAINED.chain_pem[:-100]),
        "{cert} (--tls-cert) ",
    ),
    "an empty certificate": (
        lambda site: site.cert.write_bytes(b""),
        "{cert} (--tls-cert) holds no",
    ),
    "a certificate in DER": (
        lambda site: site.cert.write_bytes(SECOND.certificate.public_bytes(Encoding.DER)),
        "{cert} (--tls-cert) holds no",
    ),
    "no certificate": (lambda site: site.cert.unlink(), "{cert} (--tls-cert): no such file"),
    "half a key": (
        lambda site: site.key.write_bytes(FIRST.private_pem()[:100]),
        "{key} (--tls-key) holds no",
    ),
    "an empty key": (lambda site: site.key.write_bytes(b""), "{key} (--tls-key) holds no"),
    "an encrypted key": (
        lambda site: site.key.write_bytes(FIRST.private_pem(b"passphrase")),
        "{key} (--tls-key) holds no unencrypted",
    ),
    "an unreadable key": (lambda site: unreadable(site.key), "cannot read {key} (--tls-key): "),
    "a folder for a key": (lambda site: folder(site.key), "{key} (--tls-key): is a directory"),
    "an empty authority": (
        lambda site: site.trusted.write_bytes(b""),
        "{trusted} (--tls-client-ca) holds no",
    ),
    "an authority cut short": (
        lambda site: site.trusted.write_bytes(
            pem(ROOT.certificate) + pem(OTHER_ROOT.certificate)[:-100]
        ),
        "{trusted} (--tls-client-ca) ",
    ),
    "no authority": (lambda site: site.trusted.unlink(), "{trusted} (--tls-client-ca): no such"),
}


def words(mistake: str, site: Site) -> str:
    text = MISTAKES[mistake][1].format(cert=site.cert, key=site.key, trusted=site.trusted)
    return re.sub(r"\(--([a-z-]+)\)", rf'({site.settings}, key "\1")', text)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_reload_with_a_mistake_leaves_all_as_it_was_and_says_why(
    running: Running, mistake: str
) -> None:
    with running.site.caller(running.daemon) as old:
        echoes(old)
        MISTAKES[mistake][0](running.site)
        (line,) = running.reload()
        assert "error reload refused, the old settings stay: " in line
        assert words(mistake, running.site) in line
        running.serves(FIRST)
        echoes(old)


@pytest.mark.parametrize(
    "mistake", ["an expired certificate", "the key of another", "an encrypted key", "half a key"]
)
def test_a_check_of_the_configuration_finds_the_mistake(
    launch: Start, tmp_path: Path, mistake: str
) -> None:
    site = Site(tmp_path)
    site.lay_out(FIRST)
    MISTAKES[mistake][0](site)
    check = launch("socketsuite-echo", "--check-config", "--config", str(site.settings))
    assert check.wait() == 1
    assert words(mistake, site) in check.errors
    assert check.errors.count("\n") == 1
    assert "Traceback" not in check.errors


# ── what goes right ─────────────────────────────────────────────────────────────────


def test_a_renewed_certificate_is_for_new_connections_and_the_old_ones_live_on(
    running: Running,
) -> None:
    with running.site.caller(running.daemon) as old:
        assert echoes(old) == FIRST.certificate.serial_number
        running.site.lay_out(SECOND)
        (line,) = running.reload()
        assert line.endswith("Z socketsuite reloaded")
        running.serves(SECOND)
        assert echoes(old) == FIRST.certificate.serial_number


def test_another_client_authority_is_for_new_connections_and_the_old_ones_live_on(
    running: Running,
) -> None:
    with running.site.caller(running.daemon) as old:
        echoes(old)
        session = old.tls.session
        running.site.trusted.write_bytes(pem(OTHER_ROOT.certificate))
        (line,) = running.reload()
        assert line.endswith("Z socketsuite reloaded")
        with running.site.caller(running.daemon, BORIS) as welcome:
            echoes(welcome)
        with running.site.caller(running.daemon, ANNA) as unwelcome:
            ending = unwelcome.to_the_end(request=b"hello", most=1)
            assert (ending.served, ending.how) == (b"", "tlsv1 alert unknown ca")
        with Caller(running.daemon, old.tls.context, session) as sly:
            assert sly.to_the_end(request=b"hello", most=1).served == b""
        echoes(old)


def test_another_handshake_timeout_is_for_new_handshakes(running: Running) -> None:
    with ExitStack() as open_ones:
        early = open_ones.enter_context(running.site.caller(running.daemon))
        running.daemon.wait_for_line(f"connected .*peer={early.peer} ")
        running.site.lay_out(FIRST, handshake_timeout=0.1)
        (line,) = running.reload()
        assert line.endswith("Z socketsuite reloaded")
        late = open_ones.enter_context(running.site.caller(running.daemon))
        gone = rf"closed .*peer={late.peer} .* duration=(\S+) reason=handshake_timeout"
        assert float(running.daemon.wait_for_line(gone)[1]) < 10
        assert late.to_the_end().how in ("RST", "FIN")
        echoes(early)


# ── the calendar ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("transport", "identity", "because"),
    [("burst", EXPIRED, "has expired on "), ("twisted", NOT_YET, "is not valid before ")],
)
def test_a_certificate_out_of_time_is_served_with_a_warning_at_start_and_at_each_reload(
    launch: Start, tmp_path: Path, transport: str, identity: Identity, because: str
) -> None:
    site = Site(tmp_path)
    site.lay_out(identity)
    arguments = ("--config", str(site.settings), "--transport", transport)
    echo = Running(site, launch("socketsuite-echo", *arguments).wait_until_ready())
    warning = f"Z socketsuite-echo warn the certificate in {site.cert} {because}"
    assert echo.daemon.log.count(warning) == 1
    told = echo.reload()
    assert warning in told[0]
    assert told[1].endswith("Z socketsuite reloaded")
    with site.caller(echo.daemon) as caller:
        assert caller.to_the_end().how == "certificate verify failed"
    assert echo.daemon.stop() == 0


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_drain_does_not_wait_for_a_handshake(
    launch: Start, tmp_path: Path, transport: str
) -> None:
    site = Site(tmp_path)
    site.lay_out(FIRST)
    arguments = ("--config", str(site.settings), "--transport", transport)
    daemon = launch("socketsuite-echo", *arguments, "--drain-timeout", "30").wait_until_ready()
    with site.caller(daemon) as caller:
        caller.socket.sendall(caller.flight())
        caller.hear()
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait() == 0
    assert f"peer={caller.peer} bytes_in=" in daemon.log
    assert "aborted=0" in daemon.log
