"""SASL of the chat: the RFCs' examples, somebody else's client, and what is refused."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import time
from typing import Any

import pytest
import scramp
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from socketsuite.services.chat.accounts import Book
from socketsuite.services.chat.logins import Logins, fingerprint
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.sasl import Challenge, Context, Failure, Mechanism, Success, start
from socketsuite.testing import Certificate
from socketsuite.wire.account_line import AccountLine
from socketsuite.wire.passwords import BadPasswordError, prepared
from socketsuite.wire.scram import ClientFirst, ScramError, Verifier

PENCIL = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("pencil")
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
VERIFIER = Verifier.of(b"pencil", SALT, 4096)
SHA = "ab" * 32


def logins(*accounts: AccountLine) -> tuple[Logins, Clock]:
    clock = Clock()
    made = Logins(clock, lambda work: succeed(work()))
    made.book = Book({one.name.lower(): one for one in accounts}, {})
    return made, clock


def everybody() -> tuple[Logins, Clock]:
    return logins(
        AccountLine("User", PENCIL, VERIFIER, (SHA,)),
        AccountLine("bob", PENCIL, None, (SHA, "cd" * 32)),
    )


class Shown:
    """A certificate, as far as it is looked at."""

    def __init__(self, sha: str) -> None:
        self.sha = sha

    def digest(self, kind: str) -> bytes:
        assert kind == "sha256"
        pairs = [self.sha[n : n + 2].upper() for n in range(0, 64, 2)]
        return ":".join(pairs).encode()


def step(mechanism: Mechanism, data: bytes, clock: Clock) -> Any:
    """Return what comes of it, at whatever time; ``...`` for nothing."""
    told = mechanism.step(data)
    if not isinstance(told, Deferred):
        return told
    seen: list[Any] = []
    told.addBoth(seen.append)
    clock.pump([30.0, 30.0])
    return seen[0] if seen else ...


# ── PLAIN ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("authorize", ["", "user", "USER"])
def test_plain_takes_a_name_and_its_password(authorize: str) -> None:
    made, clock = everybody()
    mechanism = made.sasl("PLAIN", "h", None)
    said = f"{authorize}\0uSer\0pencil".encode()
    assert step(mechanism, said, clock) == Success("User")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\0user\0pensil", "the name or the password is wrong"),
        (b"\0nobody\0pencil", "the name or the password is wrong"),
        (b"bob\0user\0pencil", "nobody acts for another here"),
        (b"", "no message of PLAIN"),
        (b"user\0pencil", "no message of PLAIN"),
        (b"\0user\0pencil\0", "no message of PLAIN"),
        (b"\0\0pencil", "no message of PLAIN"),
        (b"\0user\0", "no message of PLAIN"),
        (b"\0user\0\xff", "no message of PLAIN"),
        (b"\0user\0" + b"x" * 3000, "no message of PLAIN"),
    ],
)
def test_plain_refuses_everything_else(data: bytes, words: str) -> None:
    made, clock = everybody()
    told = step(made.sasl("PLAIN", "h", None), data, clock)
    assert isinstance(told, Failure)
    assert words in told.text


def test_who_cannot_be_verified_now_is_told_so() -> None:
    context = Context(
        login=lambda *_: fail(Refused("busy", "", "too many")),
        find=lambda _: None,
        attempt=lambda work: work(),
        decoy=lambda _: VERIFIER,
    )
    told = step(start("PLAIN", context), b"\0user\0pencil", Clock())
    assert told == Failure("too many")


# ── EXTERNAL ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("shown", "data", "told"),
    [
        ("cd" * 32, b"", Success("bob")),
        ("cd" * 32, b"BOB", Success("bob")),
        ("cd" * 32, b"user", Failure("your certificate is not that account's")),
        (SHA, b"user", Success("User")),
        (SHA, b"", Failure("your certificate is several accounts'; say which")),
        ("ef" * 32, b"bob", Failure("your certificate is no account's")),
        (None, b"bob", Failure("your certificate is no account's")),
        (SHA, b"\xff", Failure("that is no message of EXTERNAL")),
    ],
)
def test_external_believes_the_certificate(shown: str | None, data: bytes, told: Any) -> None:
    made, clock = everybody()
    certificate = None if shown is None else Shown(shown)
    assert step(made.sasl("EXTERNAL", "h", certificate), data, clock) == told


def test_the_fingerprint_is_that_of_the_certificates_bytes(tmp_path: Any) -> None:
    from OpenSSL import crypto

    pem = Certificate.make(tmp_path).path.read_bytes()
    certificate = crypto.load_certificate(crypto.FILETYPE_PEM, pem)
    der = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
    assert fingerprint(certificate) == hashlib.sha256(der).hexdigest()


# ── SCRAM-SHA-256 ───────────────────────────────────────────────────────────────────


def test_scram_is_that_of_the_example_in_rfc_7677() -> None:
    nonce = b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    context = Context(
        login=lambda *_: succeed(None),
        find=lambda name: AccountLine("user", PENCIL, VERIFIER) if name == "user" else None,
        attempt=lambda work: work(),
        decoy=lambda _: VERIFIER,
        nonce=lambda: nonce,
    )
    mechanism = start("SCRAM-SHA-256", context)
    clock = Clock()
    assert step(mechanism, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", clock) == Challenge(
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    final = (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    wanted = Success("user", b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    assert step(mechanism, final, clock) == wanted
    assert step(mechanism, final, clock) == Failure("other-error")  # it is over


def exchange(made: Logins, clock: Clock, name: str, password: str) -> tuple[Any, Any, bytes]:
    """Let somebody else's client log in; return the end, the client, and what it was asked."""
    client = scramp.ScramClient(["SCRAM-SHA-256"], name, password)
    mechanism = made.sasl("SCRAM-SHA-256", "192.0.2.1", None)
    challenge = step(mechanism, client.get_client_first().encode(), clock)
    client.set_server_first(challenge.data.decode())
    final = client.get_client_final().encode()
    return step(mechanism, final, clock), client, challenge.data


@pytest.mark.parametrize("password", ["pencil", "p\u00e4\u00dfwort, =1", "I\u00adX", "пароль"])
def test_scram_works_with_somebody_elses_client(password: str) -> None:
    verifier = Verifier.of(prepared(password), b"salt" * 4, 4096)
    made, clock = logins(AccountLine("Zo,e=1", PENCIL, Verifier.parse(str(verifier))))
    told, client, _ = exchange(made, clock, "zo,e=1", password)
    assert told.account == "Zo,e=1"
    client.set_server_final(told.final.decode())  # raises where the server does not know it
    told, _, _ = exchange(made, clock, "zo,e=1", "pensil")
    assert told == Failure("invalid-proof")


def test_scram_tells_nobody_which_names_there_are() -> None:
    made, clock = everybody()
    of_user = _asked(*exchange(made, clock, "user", "pensil"))
    for name in ("bob", "nobody"):  # bob has no verifier
        asked = {_asked(*exchange(made, clock, name, "pencil")) for _ in range(2)}
        ((told, size, iterations, _),) = asked
        assert (told, size, iterations) == of_user[:3]


def _asked(told: Any, _client: Any, challenge: bytes) -> tuple[str, int, bytes, bytes]:
    """Return what an exchange tells of a name."""
    _, salt, iterations = challenge.split(b",")
    return told.text, len(salt), iterations, salt


def test_a_wrong_proof_costs_its_host_time() -> None:
    made, clock = everybody()
    client = scramp.ScramClient(["SCRAM-SHA-256"], "user", "pensil")
    mechanism = made.sasl("SCRAM-SHA-256", "192.0.2.1", None)
    first = mechanism.step(client.get_client_first().encode())
    assert isinstance(first, Challenge)
    client.set_server_first(first.data.decode())
    told = mechanism.step(client.get_client_final().encode())
    assert isinstance(told, Deferred)
    ends: list[Any] = []
    told.addCallback(ends.append)
    clock.advance(0.49)
    assert ends == []
    clock.advance(0.01)
    assert ends == [Failure("invalid-proof")]
    made.authenticate("user", "pensil", "192.0.2.1").addCallback(ends.append)
    clock.advance(0.99)
    assert len(ends) == 1
    clock.advance(0.01)
    assert ends[1:] == [None]


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (b"p=tls-unique,,n=user,r=abc", "channel-binding-not-supported"),
        (b"n,a=bob,n=user,r=abc", "nobody acts for another here"),
        (b"n,,m=x,n=user,r=abc", "extensions-not-supported"),
        (b"n,,n=us=er,r=abc", "invalid-username-encoding"),
        (b"n,,n=\xff,r=abc", "invalid-encoding"),
        (b"n,,n=user,r=", "other-error"),
        (b"n,,n=user,r=a c", "other-error"),
        (b"n,,n=user", "other-error"),
        (b"", "other-error"),
        (b"n,,n=user,r=" + b"x" * 3000, "other-error"),
    ],
)
def test_scram_refuses_a_first_message(first: bytes, words: str) -> None:
    made, clock = everybody()
    mechanism = made.sasl("SCRAM-SHA-256", "h", None)
    assert step(mechanism, first, clock) == Failure(words)
    assert step(mechanism, b"n,,n=user,r=abc", clock) == Failure("other-error")


def longer(final: bytes) -> bytes:
    """Return a last message whose proof is the right one, and a byte more."""
    head, _, proof = final.partition(b",p=")
    return head + b",p=" + base64.b64encode(base64.b64decode(proof) + b"x")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda final: final.replace(b"c=biws", b"c=eSws"), "channel-bindings-dont-match"),
        (lambda final: final.replace(b"r=", b"r=x"), "other-error"),
        (lambda final: final.partition(b",p=")[0], "other-error"),
        (lambda final: final.partition(b",p=")[0] + b",p=AAAA", "invalid-proof"),
        (lambda final: final.partition(b",p=")[0] + b",p=!", "invalid-encoding"),
        (lambda final: longer(final), "invalid-proof"),
        (lambda _: b"", "other-error"),
    ],
)
def test_scram_refuses_a_last_message(change: Any, words: str) -> None:
    made, clock = everybody()
    client = scramp.ScramClient(["SCRAM-SHA-256"], "user", "pencil")
    mechanism = made.sasl("SCRAM-SHA-256", "h", None)
    challenge = step(mechanism, client.get_client_first().encode(), clock)
    client.set_server_first(challenge.data.decode())
    final = change(client.get_client_final().encode())
    assert step(mechanism, final, clock) == Failure(words)


def test_the_mechanisms_are_those_by_which_somebody_can_log_in() -> None:
    made, _ = everybody()
    assert made.book.mechanisms == ["SCRAM-SHA-256", "EXTERNAL", "PLAIN"]
    assert logins(AccountLine("a", PENCIL))[0].book.mechanisms == ["PLAIN"]
    made, _ = logins(AccountLine("a", "*", None, (SHA,)))
    assert made.book.mechanisms == ["EXTERNAL"]
    for name in ("PLAIN", "plain", "", "SCRAM-SHA-1"):
        with pytest.raises(LookupError):
            made.sasl(name, "h", None)


# ── passwords and messages, whatever they are ───────────────────────────────────────


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_no_message_raises(first: bytes, second: bytes) -> None:
    made, clock = everybody()
    for name in made.book.mechanisms:
        mechanism = made.sasl(name, "h", Shown(SHA))
        for data in (first, second):
            assert isinstance(step(mechanism, data, clock), (Challenge, Failure))
    for head in (b"n,,", b"n,,n=", b"y,a=x,n=x,r="):
        with contextlib.suppress(ScramError):
            ClientFirst.parse(head + first)


@pytest.mark.parametrize(
    ("password", "known"),
    [
        ("I\u00adX", b"IX"),  # RFC 4013, 3
        ("user", b"user"),
        ("USER", b"USER"),
        ("\u00aa", b"a"),
        ("\u2168", b"IX"),
        ("a\u00a0b", b"a b"),
        ("\u0007", None),
        ("\u06271", None),
        ("\u0627\u0628", "\u0627\u0628".encode()),
        ("\u00ad", None),
        ("\ud800", None),
        ("\U0001f980", "\U0001f980".encode()),
        ("x" * 256, b"x" * 256),
        ("x" * 257, None),
    ],
)
def test_passwords_are_prepared_as_rfc_4013_has_it(password: str, known: bytes | None) -> None:
    if known is None:
        with pytest.raises(BadPasswordError):
            prepared(password)
    else:
        assert prepared(password) == known


def test_the_longest_password_takes_no_time_to_refuse() -> None:
    began = time.process_time()
    for _ in range(10):
        with pytest.raises(BadPasswordError, match="at most 256 bytes"):
            prepared("\ufdfa" * 1024)  # each of which becomes eighteen letters
    assert time.process_time() - began < 0.1
