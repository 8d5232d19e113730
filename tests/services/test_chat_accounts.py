"""Accounts of the chat: their files, their passwords, and what a wrong one costs."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock

from socketsuite.services.chat.accounts import Book, read_accounts
from socketsuite.services.chat.attempts import FEW_WAITING, FORGOTTEN, Attempts
from socketsuite.services.chat.chat import Chat
from socketsuite.services.chat.hashing import Workers
from socketsuite.services.chat.logins import Logins
from socketsuite.services.chat.refusals import Refused
from socketsuite.settings import SettingsError
from socketsuite.wire.account_line import AccountLine, AccountLineError

_QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PENCIL, PAPER = _QUICK.hash("pencil"), _QUICK.hash("paper")
CERTIFICATE = "ab" * 32


def at_once(work: Callable[[], bool]) -> Deferred[bool]:
    return succeed(work())


def result(told: Deferred[Any]) -> Any:
    """Return what *told* has fired with: ``...`` for nothing yet."""
    seen: list[Any] = []
    told.addBoth(seen.append)
    return seen[0] if seen else ...


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: str, name: str = "accounts", mode: int = 0o600) -> Path:
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines))
        path.chmod(mode)
        return path

    return write


File = Callable[..., Path]

# ── files ───────────────────────────────────────────────────────────────────────────


def test_a_file_has_a_line_for_each_account_and_what_else_it_has_is_passed_over(file: File) -> None:
    path = file(
        "# ours",
        f"Alice:{PENCIL}",
        "",
        f"zoë:*:certfp={CERTIFICATE.upper()}\r",
        f"bob:{PAPER}:certfp={'cd' * 32}:certfp={CERTIFICATE}",
        mode=0o640,
    )
    found = read_accounts(path)
    assert list(found) == ["alice", "zoë", "bob"]
    assert found["alice"] == AccountLine("Alice", PENCIL)
    assert found["zoë"].certificates == (CERTIFICATE,)
    assert str(found["bob"]) == f"bob:{PAPER}:certfp={'cd' * 32}:certfp={CERTIFICATE}"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("alice", "it is not NAME:HASH"),
        (f":{PENCIL}", "it has no name"),
        (f"al ice:{PENCIL}", "a name has no space, no colon"),
        (f"1alice:{PENCIL}", "a nick begins with a letter"),
        (f"{'a' * 33}:{PENCIL}", "a name has at most 32 bytes"),
        (f"zoe\u0308:{PENCIL}", "not in its normal form"),
        (f"BOB:{PENCIL}", "an account of that name stands above it"),
        ("alice:pencil", "its hash is none of Argon2id"),
        (f"alice:{PENCIL.replace('argon2id', 'argon2i')}", "its hash is none of Argon2id"),
        (f"alice:{PENCIL.replace('m=8,', 'm=999999,')}", "takes more memory than 256 MiB"),
        (f"alice:{PENCIL}:certfp=pencil", "it is not the SHA-256 of a certificate"),
        (f"alice:{PENCIL}:pencil", "behind the hash may stand"),
        (f"alice:{PENCIL}:scram-sha-256=1,pencil,pencil,pencil", "scram-sha-256: it is not ITER"),
        (f"alice:{PENCIL}:scram-sha-256=4096,AAAA,AAAA,AAAA", "has not the right length"),
    ],
    ids=itertools.count(),
)
def test_a_wrong_line_is_told_by_its_number_and_never_shown(
    file: File, line: str, words: str
) -> None:
    path = file("# one", f"bob:{PAPER}", line)
    with pytest.raises(SettingsError) as raised:
        read_accounts(path)
    told = str(raised.value)
    assert told.startswith(f"{path}, line 3: ")
    assert words in told
    assert "argon2id$" not in told
    assert "pencil" not in told


@given(st.text(max_size=120))
def test_whatever_a_line_is_it_is_an_account_or_refused(text: str) -> None:
    for line in (text, f"{text}:{PENCIL}", f"a:{text}", f"a:*:scram-sha-256=4096,{text}"):
        with contextlib.suppress(AccountLineError):
            assert str(AccountLine.parse(line)) == line


@pytest.mark.parametrize(
    ("mode", "accepted"),
    [(0o600, True), (0o440, True), (0o640, True), (0o644, False), (0o602, False), (0o660, False)],
)
def test_a_file_is_for_its_owner_and_for_a_group_that_reads(
    file: File, mode: int, accepted: bool
) -> None:
    path = file(f"alice:{PENCIL}", mode=mode)
    if accepted:
        assert list(read_accounts(path)) == ["alice"]
    else:
        with pytest.raises(SettingsError, match=rf"mode {mode:04o}\); chmod g-w,o= it"):
            read_accounts(path)


def test_a_file_has_bounds(file: File, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="more than 10,000 lines"):
        read_accounts(file(*[""] * 10_001))
    assert read_accounts(file(*[""] * 10_000)) == {}
    with pytest.raises(SettingsError, match="larger than 1 MiB"):
        read_accounts(file("#" * (1 << 20)))
    with pytest.raises(SettingsError, match="is a directory"):
        read_accounts(tmp_path)
    with pytest.raises(SettingsError, match="no such file"):
        read_accounts(tmp_path / "none")
    path = file()
    path.write_bytes(b"alice:\xff\n")
    with pytest.raises(SettingsError, match="not UTF-8"):
        read_accounts(path)


# ── who is who ──────────────────────────────────────────────────────────────────────


def chat(**settings: Any) -> tuple[Chat, Clock]:
    clock = Clock()
    made = Chat(clock, **settings)
    made.logins._in_thread = at_once
    return made, clock


def test_a_password_is_right_for_its_account_alone(file: File) -> None:
    service, clock = chat(accounts=file(f"Alice:{PENCIL}", f"bob:{PAPER}", "carol:*"))
    assert result(service.authenticate("aLICE", "pencil", "192.0.2.1")) == "Alice"
    for name, word in [
        ("alice", "paper"),
        ("bob", "pencil"),
        ("carol", "*"),
        ("dave", "pencil"),
        ("alice", ""),
        ("alice", "p" * 5000),
        ("alice", "\udcff"),
    ]:
        told = service.authenticate(name, word, "192.0.2.1")
        clock.pump([30.0, 30.0])
        assert result(told) is None


def test_nobody_has_an_account_where_there_is_no_file() -> None:
    service, clock = chat()
    for _ in range(3):
        refused = result(service.authenticate("alice", "pencil", "192.0.2.1"))
        assert refused.value.code == "no_accounts"
        assert result(service.check_operator("alice", "pencil", "192.0.2.1")) is None
    assert clock.getDelayedCalls() == []
    assert service.sasl_mechanisms() == []
    assert service.owner_of("alice") is None


def test_an_operator_is_who_knows_the_operators_password(file: File) -> None:
    service, clock = chat(
        accounts=file(f"root:{PAPER}", f"bob:{PAPER}"),
        operators=file(f"Root:{PENCIL}", name="operators"),
    )
    assert result(service.check_operator("root", "pencil", "::1")) == "Root"
    assert result(service.authenticate("root", "pencil", "::1")) == "Root"
    assert service.is_operator("Root")
    assert not service.is_operator("bob")
    assert not service.is_operator(None)
    assert result(service.authenticate("bob", "paper", "::1")) == "bob"
    for wrong in (service.authenticate("root", "paper", "::1"), *_both(service, clock)):
        clock.pump([30.0, 30.0])
        assert result(wrong) is None


def _both(service: Chat, clock: Clock) -> list[Deferred[Any]]:
    words = [("root", "paper"), ("bob", "paper")]
    return [service.check_operator(name, word, "192.0.2.9") for name, word in words]


def test_a_nick_is_its_accounts_and_so_is_what_looks_like_it(file: File) -> None:
    service, _ = chat(accounts=file(f"Cope:{PENCIL}"))
    person = service.hub.enter(
        frontend="x", host="h", render=lambda _: b"", write=print, close=print
    )
    for nick in ("cope", "COPE", "copé", "соре"):  # the last in Cyrillic letters
        with pytest.raises(Refused) as refused:
            service.hub.rename(person, nick)
        assert refused.value.code == "nick_reserved"
    person.account = "Cope"
    service.hub.rename(person, "cope")
    assert person.nick == "cope"


def test_files_are_read_again_all_or_none(file: File) -> None:
    accounts = file(f"alice:{PENCIL}")
    operators = file(f"root:{PENCIL}", name="operators")
    service, _ = chat(accounts=accounts, operators=operators)
    file(f"bob:{PAPER}")
    file("root", name="operators")
    with pytest.raises(SettingsError):
        service.reload_service()
    assert list(service.logins.book.accounts) == ["alice", "root"]
    file(f"root:{PAPER}", name="operators")
    service.reload_service()
    assert list(service.logins.book.accounts) == ["bob", "root"]


def test_the_servers_password_is_asked_of_all_or_nobody() -> None:
    service, _ = chat(server_password="sesam öffne")
    assert service.check_server_password("sesam öffne")
    assert not service.check_server_password("sesam")
    assert not service.check_server_password("")
    assert chat()[0].check_server_password("")


def test_an_unknown_name_takes_as_much_work_as_a_wrong_password(file: File) -> None:
    worked: list[bool] = []

    def counted(work: Callable[[], bool]) -> Deferred[bool]:
        worked.append(work())
        return succeed(worked[-1])

    clock = Clock()
    logins = Logins(clock, counted)
    logins.read(file(f"alice:{PENCIL}", "carol:*"), None)
    for name in ("alice", "carol", "nobody"):
        logins.authenticate(name, "paper", name)
    assert worked == [False, False, False]
    head = PENCIL.split("$")[:4]
    assert logins.book.decoy.split("$")[:4] == head
    assert len(logins.book.decoy) == len(PENCIL)
    assert logins.book.decoy != Book(logins.book.accounts, {}).decoy


# ── what a wrong one costs ──────────────────────────────────────────────────────────


def test_each_wrong_password_of_a_host_costs_twice_as_long_as_the_one_before() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for seconds in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0):
        told = attempts.attempt("2001:db8::1", lambda: succeed(None))
        clock.advance(seconds - 0.01)
        assert result(told) is ...
        other = attempts.attempt("2001:db8:0:1::1", lambda: succeed("other"))
        assert result(other) == "other"
        clock.advance(0.01)
        assert result(told) is None
    right = attempts.attempt("2001:db8::2", lambda: succeed("alice"))
    assert result(right) == "alice"
    told = attempts.attempt("2001:db8::3", lambda: succeed(None))  # a right one forgives nothing
    clock.advance(29.9)
    assert result(told) is ...
    clock.advance(0.1)
    clock.advance(FORGOTTEN)
    told = attempts.attempt("2001:db8::3", lambda: succeed(None))
    clock.advance(0.5)
    assert result(told) is None
    assert clock.getDelayedCalls() == []


def test_attempts_of_one_host_wait_for_their_turn_and_are_bounded() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    began: list[int] = []

    def wrong(number: int) -> Callable[[], Deferred[str | None]]:
        def work() -> Deferred[str | None]:
            began.append(number)
            return succeed(None)

        return work

    told = [attempts.attempt("192.0.2.1", wrong(n)) for n in range(FEW_WAITING)]
    assert began == [0]
    refused = result(attempts.attempt("::ffff:192.0.2.1", wrong(99)))
    assert refused.check(Refused)
    assert refused.value.code == "busy"
    clock.advance(0.5)
    assert began == [0, 1]
    told[1].cancel()
    assert result(told[1]).check(CancelledError)
    clock.advance(0.9)
    assert began == [0, 1]  # who went away has paid nothing less
    clock.advance(0.1)
    assert began == [0, 1, 2]
    for _ in range(10):
        clock.advance(30)
    assert began == list(range(FEW_WAITING))
    assert result(told[-1]) is None
    assert clock.getDelayedCalls() == []


def test_who_never_said_a_wrong_password_is_not_remembered_and_others_are_bounded() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for n in range(9000):
        attempts.attempt(f"10.0.{n >> 8}.{n & 255}", lambda: succeed("alice"))
    assert len(attempts) == 0
    for n in range(9000):
        attempts.attempt(f"10.0.{n >> 8}.{n & 255}", lambda: succeed(None))
        clock.advance(0.5)
        clock.advance(0)
    assert 1000 < len(attempts) <= 8192
    clock.advance(FORGOTTEN)
    attempts.attempt("10.0.0.1", lambda: succeed("alice"))
    assert len(attempts) == 0


# ── threads ─────────────────────────────────────────────────────────────────────────


class Turns:
    """A reactor that does what threads hand it when it is told to."""

    def __init__(self) -> None:
        self.queue: Queue[tuple[Any, ...]] = Queue()

    def callFromThread(self, function: Any, *words: Any) -> None:
        self.queue.put((function, *words))

    def turn(self) -> None:
        function, *words = self.queue.get(timeout=20)
        function(*words)


def test_work_is_done_by_two_threads_and_what_waits_is_bounded() -> None:
    turns, go = Turns(), threading.Event()
    workers = Workers(turns, threads=2, waiting=3)
    names: set[str] = set()

    def work() -> int:
        names.add(threading.current_thread().name)
        assert go.wait(20)
        return threading.get_ident()

    before = threading.active_count()
    told = [workers.do(work) for _ in range(5)]
    assert threading.active_count() == before + 2
    assert result(workers.do(work)).check(Refused)
    go.set()
    for _ in told:
        turns.turn()
    idents = {result(one) for one in told}
    assert threading.get_ident() not in idents
    assert names == {"password hashing"}
    failed = workers.do(lambda: 1 // 0)
    turns.turn()
    assert result(failed).check(ZeroDivisionError)
    assert threading.active_count() == before + 2
