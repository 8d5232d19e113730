"""Accounts that people make by IRC and by lines, and that are taken away, on a real daemon."""

from __future__ import annotations

import base64
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from socketsuite.testing import Daemon
from tests.daemons.conftest import Start
from tests.daemons.irc_client import Caller, caller

REGISTER = "draft/account-registration"


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("irc")
    (folder / "accounts").write_text("# ours\n")
    (folder / "accounts").chmod(0o600)
    words = ("--port", "0", "--irc-port", "0", "--accounts", "accounts", "--register")
    with Daemon(folder, "socketsuite-chat", *words) as daemon:
        yield daemon


def log_in(chat: Daemon, name: str, password: str) -> list[str]:
    """Return the numerics that SASL PLAIN is answered by."""
    one = Caller(chat)
    words = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
    answers = one.ask("CAP REQ sasl", "AUTHENTICATE PLAIN", f"AUTHENTICATE {words}")
    one.close()
    return [line.split()[1] for line in answers[2:]]


def test_an_account_is_made_by_irc_and_by_lines_and_taken_away(chat: Daemon) -> None:
    early = Caller(chat)
    assert REGISTER in early.offered()
    refused = early.ask("CAP REQ standard-replies", "REGISTER * * a-secret-word")[-1]
    assert " FAIL REGISTER COMPLETE_CONNECTION_REQUIRED :" in refused
    early.close()
    wanted = ("standard-replies", "labeled-response", "batch", REGISTER)
    with caller(chat, "anna", *wanted) as anna, caller(chat, "boris", "account-notify") as boris:
        for one in (anna, boris):
            one.ask("JOIN #tea")
        anna.ask()
        for sent, told in (
            ("REGISTER boris * a-secret-word", "REGISTER ACCOUNT_NAME_MUST_BE_NICK boris :"),
            ("REGISTER * a@b.example a-secret-word", "REGISTER INVALID_EMAIL anna :"),
            ("REGISTER * * short", "REGISTER WEAK_PASSWORD anna :"),
            (f"REGISTER * * {'x' * 257}", "REGISTER UNACCEPTABLE_PASSWORD anna :"),
            ("VERIFY anna 123", "VERIFY INVALID_CODE anna :"),
        ):
            assert f" FAIL {told}" in anna.ask(sent)[0]
        # Nobody could log in before.
        assert "sasl" not in anna.offered()
        anna.send("@label=r REGISTER * * :a secret word")
        news = anna.expect(r" CAP anna (NEW|ACK) :?(.*)$")
        assert news.groups() == ("NEW", "sasl=PLAIN")
        anna.expect(r"^@label=r :\S+ BATCH \+\S+ labeled-response$")
        anna.expect(r" REGISTER SUCCESS anna :")
        anna.expect(r" 900 anna anna!~anna@127.0.0.1 anna :")
        assert boris.expect(r"^:anna!~anna@127.0.0.1 ACCOUNT (\S+)$")[1] == "anna"
        assert " FAIL REGISTER ALREADY_AUTHENTICATED anna :" in anna.ask("REGISTER * * x")[-1]
        assert log_in(chat, "anna", "a secret word") == ["900", "903"]

        with chat.connect(port=chat.port("tcp", frontend="lines")) as lines:
            file = lines.makefile("rb")
            lines.sendall(b"/nick lena\n/register\nanother secret\n")
            while file.readline() != b"* you are logged in as lena\n":
                pass
            path = chat.folder / "accounts"
            kept = path.read_text().splitlines()
            assert [line.partition(":")[0] for line in kept] == ["# ours", "anna", "lena"]
            assert path.stat().st_mode & 0o777 == 0o600

            path.write_text(f"{kept[1]}\n".replace("anna", "zoe"))
            chat.send_signal(signal.SIGHUP)
            assert file.readline() == b"* you are logged out: that account is no more\n"
            anna.expect(r" 901 anna anna!~anna@127.0.0.1 :")
            assert boris.expect(r"^:anna!~anna@127.0.0.1 ACCOUNT (\S+)$")[1] == "*"
            assert not any(" 330 " in line for line in boris.ask("WHOIS anna"))
            file.close()
        chat.wait_for_line("account_made account=anna host=127.0.0.1$")
        assert "secret" not in chat.log


def test_who_has_said_no_file_cannot_let_people_register(launch: Start, tmp_path: Path) -> None:
    daemon = launch("socketsuite-chat", "--port", "0", "--register")
    assert daemon.wait() == 2
    why = "--register needs --accounts FILE beside it; see twistd socketsuite-chat --help"
    assert daemon.errors == f"socketsuite-chat: {why}\n"
