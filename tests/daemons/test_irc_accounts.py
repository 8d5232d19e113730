"""Logging in by IRC, on a real daemon: SASL, the server's password, and what operators may."""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
from collections.abc import Iterator
from contextlib import closing

import pytest
from argon2 import PasswordHasher
from scramp import ScramClient

from socketsuite.testing import Certificate, Daemon
from socketsuite.wire.account_line import AccountLine
from socketsuite.wire.scram import Verifier
from tests.daemons.irc_client import Caller

PENCIL = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("pencil")


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("irc")
    certificate = Certificate.make(folder)
    text = certificate.path.read_text()
    der = ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN CERT") :])
    sha = hashlib.sha256(der).hexdigest()
    verifier = Verifier.of(b"pencil", b"salt of sixteen.", 4096)
    for name, account in (
        ("accounts", AccountLine("Alice", PENCIL, verifier, (sha,))),
        ("operators", AccountLine("root", PENCIL, None, ())),
    ):
        (folder / name).write_text(f"{account}\n")
        (folder / name).chmod(0o600)
    files = ("--accounts", "accounts", "--operators", "operators")
    ports = ("--port", "0", "--irc-port", "0")
    tls = ("--irc-tls-port", "0", *certificate.arguments)
    optional = ("--tls-client-certificates", "optional")
    words = (*ports, *files, *tls, "--tls-client-ca", str(certificate.path), *optional)
    with Daemon(folder, "socketsuite-chat", *words, "--server-password", "open") as daemon:
        yield daemon


def begun(chat: Daemon, nick: str) -> Caller:
    one = Caller(chat)
    assert one.offered()["sasl"] == "SCRAM-SHA-256,PLAIN"
    one.send("CAP REQ :sasl account-tag", "PASS open", f"NICK {nick}", "USER a 0 * :a")
    one.expect(" ACK ")
    return one


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_plain_logs_in_and_the_account_s_nick_is_its_own(chat: Daemon) -> None:
    with closing(begun(chat, "alice")) as one:
        lines = one.ask("AUTHENTICATE PLAIN", f"AUTHENTICATE {b64(b'%calice%cpencil' % (0, 0))}")
        assert lines[0].endswith(" AUTHENTICATE +")
        assert [line.split()[1] for line in lines[1:]] == ["900", "903"]
        assert one.ask("AUTHENTICATE PLAIN")[0].split()[1] == "907"
        one.send("CAP END")
        one.expect(" 001 alice ")
        one.expect(" (376|422) ")
        assert any(" 330 alice alice Alice :" in line for line in one.ask("WHOIS alice"))
        with closing(Caller(chat)) as other:
            other.send("PASS open", "USER b 0 * :b", "NICK Alice")
            other.expect(" 433 ")
            other.send("NICK bob")
            other.expect(" (376|422) ")
            one.send("PRIVMSG bob :hi")
            other.expect("PRIVMSG bob :?hi$")


def test_an_account_s_nick_is_nobody_else_s(chat: Daemon) -> None:
    with closing(Caller(chat)) as one:
        one.send("PASS open", "USER b 0 * :b", "NICK alice")
        assert re.search(" 433 .*log in first", one.line())


def test_a_wrong_password_is_one_failure_and_then_another_try(chat: Daemon) -> None:
    with closing(begun(chat, "bob")) as one:
        wrong = b64(b"\0alice\0paper")
        lines = one.ask("AUTHENTICATE PLAIN", f"AUTHENTICATE {wrong}", "AUTHENTICATE NONE")
        assert [line.split()[1] for line in lines] == ["AUTHENTICATE", "904", "908", "904"]
        lines = one.ask("AUTHENTICATE PLAIN", "AUTHENTICATE !", "AUTHENTICATE PLAIN")
        assert [line.split()[1] for line in lines] == ["AUTHENTICATE", "904", "AUTHENTICATE"]
        assert one.ask("AUTHENTICATE *")[0].split()[1] == "906"
        one.ask("AUTHENTICATE PLAIN")
        assert one.ask(f"AUTHENTICATE {'x' * 401}")[0].split()[1] == "905"


def test_scram_proves_both_sides(chat: Daemon) -> None:
    with closing(begun(chat, "alice")) as one:
        client = ScramClient(["SCRAM-SHA-256"], "alice", "pencil")
        one.ask("AUTHENTICATE SCRAM-SHA-256")
        one.send(f"AUTHENTICATE {b64(client.get_client_first().encode())}")
        client.set_server_first(base64.b64decode(one.expect("AUTHENTICATE (.+)$")[1]).decode())
        one.send(f"AUTHENTICATE {b64(client.get_client_final().encode())}")
        client.set_server_final(base64.b64decode(one.expect("AUTHENTICATE (.+)$")[1]).decode())
        assert [line.split()[1] for line in one.ask("AUTHENTICATE +")] == ["900", "903"]


def test_a_certificate_logs_in_over_tls_alone(chat: Daemon) -> None:
    with closing(begun(chat, "alice")) as one:
        assert one.ask("AUTHENTICATE EXTERNAL")[0].split()[1] == "908"
    certificate = Certificate(chat.folder / "localhost.pem")
    context = certificate.client()
    with closing(Caller(chat, context)) as one:
        assert one.offered()["sasl"] == "SCRAM-SHA-256,PLAIN"
        assert one.ask("CAP REQ sasl", "AUTHENTICATE EXTERNAL")[1].split()[1] == "908"
    context.load_cert_chain(certificate.path)
    with closing(Caller(chat, context)) as one:
        assert one.offered()["sasl"] == "SCRAM-SHA-256,EXTERNAL,PLAIN"
        lines = one.ask("CAP REQ sasl", "AUTHENTICATE EXTERNAL", "AUTHENTICATE +")
        assert [line.split()[1] for line in lines] == ["CAP", "AUTHENTICATE", "900", "903"]
        one.send("PASS open", "NICK alice", "USER a 0 * :a", "CAP END")
        one.expect(" (376|422) ")
        assert any(" 671 alice alice :" in line for line in one.ask("WHOIS alice"))


def test_who_does_not_know_the_server_s_password_is_not_let_in(chat: Daemon) -> None:
    with closing(Caller(chat)) as one:
        one.send("PASS shut", "NICK bob", "USER b 0 * :b")
        assert " 464 bob :Password incorrect" in one.line()
        assert one.line() == "ERROR :Closing link: Password incorrect"


def test_what_operators_may(chat: Daemon) -> None:
    with closing(begun(chat, "carla")) as one, closing(begun(chat, "dora")) as other:
        for each in (one, other):
            each.send("CAP END")
            each.expect(" (376|422) ")
        assert one.ask("OPER root paper")[0].split()[1] == "464"
        lines = one.ask("OPER root pencil")
        assert [line.split()[1] for line in lines] == ["381", "MODE"]
        other.ask("MODE dora +w")
        one.ask("WALLOPS :to all")
        assert other.line() == ":carla!~a@127.0.0.1 WALLOPS :to all"
        assert any(" 313 dora carla :" in line for line in other.ask("WHOIS carla"))
        seen = len(chat.lines)
        assert one.ask("REHASH")[0].split()[1] == "382"
        chat.wait_for_line("socketsuite reloaded", seen)
        one.ask("KILL dora :enough")
        assert other.line() == "ERROR :Closing link: Killed (carla (enough))"
        one.ask("MODE carla -o")
        assert one.ask("KILL zoe :x")[0].split()[1] == "481"


def test_all_clients_of_an_account_know_what_it_has_read(chat: Daemon) -> None:
    with closing(begun(chat, "alice")) as one, closing(begun(chat, "alice2")) as two:
        for each in (one, two):
            each.ask("CAP REQ draft/read-marker", "AUTHENTICATE PLAIN")
            each.ask(f"AUTHENTICATE {b64(b'%calice%cpencil' % (0, 0))}")
            each.send("CAP END")
            each.expect(" (376|422) ")
        assert one.ask("JOIN #tea")[1].endswith(" MARKREAD #tea *")
        late, early = (f"timestamp=2026-01-0{day}T00:00:00.123Z" for day in (2, 1))
        assert one.ask(f"MARKREAD #tea {late}")[0].endswith(f" MARKREAD #tea {late}")
        two.expect(f" MARKREAD #tea {late}$")
        assert one.ask(f"MARKREAD #tea {early}")[0].endswith(f" MARKREAD #tea {late}")
        assert two.ask("MARKREAD #Tea")[0].endswith(f" MARKREAD #Tea {late}")
        assert " INVALID_PARAMS " in one.ask("CAP REQ standard-replies", "MARKREAD #tea x")[1]


def test_others_are_told_of_accounts_who_want_to_know(chat: Daemon) -> None:
    with closing(begun(chat, "dora")) as one, closing(begun(chat, "emil")) as two:
        two.ask("CAP REQ :account-notify extended-join account-tag")
        for each in (two, one):
            each.send("CAP END")
            each.expect(" (376|422) ")
            each.ask("JOIN #cake")
        two.expect(r"^:dora!\S+ JOIN #cake [*] :?a$")
        one.ask("AUTHENTICATE PLAIN", f"AUTHENTICATE {b64(b'%calice%cpencil' % (0, 0))}")
        two.expect(r"^@account=Alice :dora!\S+ ACCOUNT Alice$")
        one.send("PRIVMSG #cake :hi", "PART #cake", "JOIN #cake")
        two.expect(r"^@account=Alice :dora!\S+ PRIVMSG #cake :hi$")
        two.expect(r"^@account=Alice :dora!\S+ JOIN #cake Alice :?a$")
