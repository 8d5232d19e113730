"""Where a certificate is demanded: not one byte of service for a bad one, of whatever kind.

Every caller asks as early as TLS lets it ask, which in TLS 1.3 is before the daemon has seen
its certificate.  Two members talk all the while, and hear nobody else.
"""

from __future__ import annotations

import re
import ssl
import subprocess
import tempfile
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from socketsuite.testing import Daemon
from tests.daemons.conftest import Start
from tests.daemons.crowd import descriptors
from tests.daemons.handshakes import Caller
from tests.support.authorities import SERVER, Identity, authority, certify, pem
from tests.support.peers import program

ROOT = authority("Our Root")
BRANCH = authority("Our Branch", ROOT)
ANNA = certify("anna.example.org", ROOT)
ONLY_EXAMPLE_ORG = authority(
    "Names of example.org",
    ROOT,
    extensions=[(x509.NameConstraints([x509.DNSName("example.org")], None), True)],
)
A_RIDDLE = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.1"), b"\5\0")


def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def signed_with(digest: str) -> Identity:
    """Return a certificate that we did sign, with a digest that our library would not use."""
    with tempfile.TemporaryDirectory() as folder:
        ours = ROOT.write(Path(folder, "root.pem"))
        key, made = Path(folder, "key.pem"), Path(folder, "cert.pem")
        command = (
            f"{program('openssl')} req -x509 -{digest} -CA {ours} -CAkey {ours} -out {made}"
            f" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {key}"
            " -subj /CN=old.example.org -config /dev/null -addext keyUsage=digitalSignature"
            " -addext subjectKeyIdentifier=hash -addext authorityKeyIdentifier=keyid"
        )
        subprocess.run(command.split(), check=True, capture_output=True)
        certificate = x509.load_pem_x509_certificate(made.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
        return Identity(certificate, private)


GOOD: dict[str, Callable[[], Identity]] = {
    "signed by us": lambda: ANNA,
    "of a branch, which is sent along": lambda: certify("b.example.org", BRANCH),
    "with a name that its branch may give": lambda: certify("c.example.org", ONLY_EXAMPLE_ORG),
    "with an RSA key of 2048 bits": lambda: certify("d.example.org", ROOT, key=rsa_key(2048)),
    "signed with SHA-256": lambda: signed_with("sha256"),
}

# Each kind, and what the daemon's alert says of it.
BAD: dict[str, tuple[Callable[[], Identity | None], str]] = {
    "none": (lambda: None, "handshake failure|certificate required"),
    "self-signed": (lambda: certify("x.example.org"), "unknown ca"),
    "of another authority": (lambda: certify("x", authority("Another")), "unknown ca"),
    "of our authority's namesake": (lambda: certify("x", authority("Our Root")), "decrypt error"),
    "expired": (lambda: certify("x", ROOT, since=-9, until=-0.001), "certificate expired"),
    "not yet valid": (lambda: certify("x", ROOT, since=0.01), "bad certificate"),
    "of an expired branch": (
        lambda: certify("x", authority("Withered", ROOT, since=-9, until=-1)),
        "certificate expired",
    ),
    "for servers only": (lambda: certify("x", ROOT, purposes=[SERVER]), "unsupported certificate"),
    "not for signatures": (
        lambda: certify("x", ROOT, uses=["key_encipherment"]),
        "unsupported certificate",
    ),
    "the authority's own": (lambda: ROOT, "unsupported certificate"),
    "of a branch, which is not sent": (lambda: certify("x", BRANCH).leaf_only(), "unknown ca"),
    "signed by a member, who is no authority": (lambda: certify("x", ANNA), "unknown ca"),
    "signed by a branch of a branch that may have none": (
        lambda: certify("x", authority("Twig", authority("Bare Branch", ROOT, path_length=0))),
        "unknown ca",
    ),
    "with a name that its branch may not give": (
        lambda: certify("x.example.com", ONLY_EXAMPLE_ORG),
        "certificate unknown",
    ),
    "with another signature": (lambda: ANNA.tampered(), "decrypt error"),
    "with a stranger's key": (lambda: ANNA.with_key_of(certify("x", ROOT)), "decrypt error"),
    "with an RSA key of 1024 bits": (
        lambda: certify("x", ROOT, key=rsa_key(1024)),
        "bad certificate",
    ),
    "signed with SHA-1": (lambda: signed_with("sha1"), "bad certificate"),
    "with a critical word that nobody knows": (
        lambda: certify("x", ROOT, extensions=[(A_RIDDLE, True)]),
        "certificate unknown",
    ),
}


@dataclass
class Club:
    """A chat for members only, two of whom are in.

    :ivar quiet: how many descriptors the daemon has open for these two alone.
    """

    daemon: Daemon
    folder: Path
    speaker: Caller
    listener: Caller
    transport: str
    quiet: int = 0

    def context(self, identity: Identity | None, version: ssl.TLSVersion) -> ssl.SSLContext:
        """Return the configuration of a caller, whose own library allows everything."""
        context = ssl.create_default_context(cadata=pem(ROOT.certificate).decode())
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings(category=DeprecationWarning, action="ignore"):
            context.minimum_version = context.maximum_version = version
        if identity is not None:
            context.load_cert_chain(identity.write(self.folder / "caller.pem"))
        return context

    def comes(self, identity: Identity | None, version: ssl.TLSVersion) -> Caller:
        """Return somebody at the door."""
        return Caller(self.daemon, self.context(identity, version))

    def serves(self, member: Caller) -> None:
        """See that *member* is heard, and greeted; and goes."""
        member.shake_hands(request=b"hello\n")
        for one in (self.listener, self.speaker):
            assert one.read(9) == b"-> hello\n"
        assert member.read(11) == b"You are in\n"
        member.socket.close()
        self.daemon.wait_for_line(f"closed transport=tls peer={member.peer} ")

    def refuses(self, caller: Caller) -> str:
        """See that *caller* leaves one line and a count, and nothing else; return the alert."""
        lines, refusals = len(self.daemon.lines), self.refusals()
        ending = caller.to_the_end(request=b"let me in\n", most=1)
        assert ending.served == b""
        self.daemon.wait_for_line(f"closed transport=tls peer={caller.peer} ", lines)
        self.speaker.say(b"members only\n")
        assert self.listener.read(16) == b"-> members only\n"
        connected, closed = self.daemon.lines[lines:]
        assert f"connected transport=tls peer={caller.peer} " in connected
        assert re.search(
            r' duration=\S+ reason=handshake_failed detail="[ -~]{5,160}" frontend=lines$', closed
        )
        assert descriptors(self.daemon) == self.quiet
        assert self.refusals() == refusals + 1
        return ending.how

    def refusals(self) -> float:
        """Return the number of handshakes that failed, as the metrics have it."""
        where = self.daemon.wait_for_line(r"metrics (http://\S+)")[1]
        with urllib.request.urlopen(where) as page:
            found = re.search(
                r'connections_closed_total\{.*reason="handshake_failed".*\} (\S+)',
                page.read().decode(),
            )
        assert found is not None
        return float(found[1])


@pytest.fixture(
    scope="module",
    # One worker for each transport, so that no daemon is started twice.
    params=[
        pytest.param(transport, marks=pytest.mark.xdist_group(f"club on {transport}"))
        for transport in ("burst", "twisted")
    ],
)
def club(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Club]:
    folder = tmp_path_factory.mktemp("club")
    own = certify("localhost", ROOT).write(folder / "own.pem")
    trusted = folder / "trusted.pem"
    trusted.write_bytes(pem(ROOT.certificate))
    arguments = ("--tls-cert", str(own), "--tls-client-ca", str(trusted), "--banner", "You are in")
    daemon = Daemon(
        folder,
        "socketsuite-chat",
        *("--port", "0", "--metrics-port", "0", "--transport", request.param, *arguments),
    )
    try:
        daemon.wait_until_ready()
        made = Club(daemon, folder, None, None, request.param)  # type: ignore[arg-type]
        with ExitStack() as open_ones:
            for place in ("speaker", "listener"):
                member = open_ones.enter_context(made.comes(ANNA, ssl.TLSVersion.TLSv1_3))
                assert member.shake_hands().read(11) == b"You are in\n"
                daemon.wait_for_line(f"connected transport=tls peer={member.peer} ")
                setattr(made, place, member)
            made.quiet = descriptors(made.daemon)
            yield made
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log
        assert daemon.errors == ""
    finally:
        daemon.kill()


both_versions = pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"]
)


@both_versions
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_certificate_gets_no_byte_and_is_never_heard(
    club: Club, kind: str, version: ssl.TLSVersion
) -> None:
    make, alert = BAD[kind]
    with club.comes(make(), version) as caller:
        assert re.search(alert, club.refuses(caller))


@pytest.mark.parametrize(
    ("kind", "cause"),
    [("expired", "certificate has expired"), ("of a branch, which is not sent", "unable to get")],
)
def test_the_log_says_what_is_wrong_with_a_certificate(club: Club, kind: str, cause: str) -> None:
    with club.comes(BAD[kind][0](), ssl.TLSVersion.TLSv1_3) as caller:
        club.refuses(caller)
    line = club.daemon.wait_for_line(f"closed transport=tls peer={caller.peer} ").string
    assert f'reason=handshake_failed detail="certificate verify failed: {cause}' in line


@both_versions
@pytest.mark.parametrize("kind", GOOD)
def test_a_good_certificate_gets_service(club: Club, kind: str, version: ssl.TLSVersion) -> None:
    with club.comes(GOOD[kind](), version) as member:
        club.serves(member)


@both_versions
def test_who_has_shown_no_certificate_yet_hears_nothing_of_what_is_said(
    club: Club, version: ssl.TLSVersion
) -> None:
    with club.comes(ANNA, version) as member:
        member.socket.sendall(member.flight())
        member.hear()
        club.speaker.say(b"before\n")
        assert club.listener.read(10) == b"-> before\n"
        assert member.shake_hands().read(11) == b"You are in\n"
        club.speaker.say(b"after\n")
        for one in (club.listener, member):
            assert one.read(9) == b"-> after\n"
    club.daemon.wait_for_line(f"closed transport=tls peer={member.peer} ")


@both_versions
def test_a_member_may_come_back_with_its_session(club: Club, version: ssl.TLSVersion) -> None:
    context = club.context(ANNA, version)
    with Caller(club.daemon, context) as member:
        club.serves(member)
        session = member.tls.session
    with Caller(club.daemon, context, session) as member:
        club.serves(member)


def test_a_good_certificate_does_not_make_up_for_tls_1_1(club: Club) -> None:
    with club.comes(ANNA, ssl.TLSVersion.TLSv1_1) as caller:
        assert club.refuses(caller) == "tlsv1 alert protocol version"


def test_where_a_certificate_may_be_left_out_it_still_has_to_be_good(
    club: Club, launch: Start, tmp_path: Path
) -> None:
    """The club's own daemon demands one; this one, with the same files, does not."""
    own, trusted = club.folder / "own.pem", club.folder / "trusted.pem"
    words = ("--tls-cert", str(own), "--tls-client-ca", str(trusted), "--banner", "You are in")
    optional = ("--transport", club.transport, "--tls-client-certificates", "optional")
    daemon = launch("socketsuite-chat", "--port", "0", *words, *optional).wait_until_ready()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for identity in (None, ANNA):
            with Caller(daemon, club.context(identity, version)) as caller:
                assert caller.shake_hands().read(11) == b"You are in\n"
        for kind in ("self-signed", "expired", "with a stranger's key"):
            make, alert = BAD[kind]
            with Caller(daemon, club.context(make(), version)) as caller:
                ending = caller.to_the_end(request=b"let me in\n", most=1)
                assert ending.served == b""
                assert re.search(alert, ending.how)
