"""Accounts that people make for themselves: who may, what it costs, and how they are written."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from socketsuite.services.chat import account_file
from socketsuite.services.chat.account_file import AccountFileError, add_account
from socketsuite.services.chat.accounts import read_accounts
from socketsuite.services.chat.chat import Chat
from socketsuite.services.chat.person import Person
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.registering import AccountMade, AccountNotSaved
from socketsuite.services.chat.rights import empower
from socketsuite.wire.account_line import AccountLine

HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("pencil")


def account(name: str) -> AccountLine:
    return AccountLine(name, HASH)


def code_of(failure: Failure) -> str:
    assert isinstance(failure.value, Refused)
    return failure.value.code


class Registry:
    """A chat in which people may make accounts, and what it says of them."""

    def __init__(self, folder: Path, *lines: str, **settings: Any) -> None:
        self.path = folder / "accounts"
        self.path.write_text("".join(f"{line}\n" for line in lines))
        self.path.chmod(0o600)
        self.clock = Clock()
        self.told: list[object] = []
        settings = {"register": True, "accounts": self.path, **settings}
        self.chat = Chat(
            self.clock, lambda event, level="info": self.told.append(event), **settings
        )
        self.chat.logins._in_thread = lambda work: succeed(work())

    def _emit(self, event: object, level: str = "info") -> None:
        self.told.append(event)

    def enter(self, nick: str, host: str = "192.0.2.1") -> Person:
        return self.chat.hub.enter(
            frontend="x", host=host, render=lambda _: b"", write=print, close=print, nick=nick
        )

    def make(self, person: Person, password: str = "a long secret") -> list[Any]:
        """Return what it comes to, once it does: an account's name, or a refusal's code."""
        seen: list[Any] = []
        try:
            made: Deferred[Any] = self.chat.make_account(person, password)
        except Refused as refused:
            return [refused.code]
        made.addErrback(code_of).addCallback(seen.append)
        return seen


# ── the file ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("before", ["", "# ours\n\nbob:*\r\n", "# no end of line"])
def test_a_line_is_added_and_all_else_stays(tmp_path: Path, before: str) -> None:
    path = tmp_path / "accounts"
    path.write_bytes(before.encode())
    path.chmod(0o640)
    assert add_account(path, account("Alice"))
    end = "" if before.endswith("\n") or not before else "\n"
    assert path.read_bytes() == f"{before}{end}Alice:{HASH}\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["accounts"]
    assert not add_account(path, account("aLICE"))


def test_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.touch(0o600)
    link.symlink_to("real")
    assert add_account(link, account("alice"))
    assert link.is_symlink()
    assert list(read_accounts(real)) == ["alice"]


def test_the_file_keeps_its_owner(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    path = tmp_path / "accounts"
    path.touch(0o600)
    os.chown(path, 65534, 65534)
    assert add_account(path, account("alice"))
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65534)


def test_what_somebody_else_writes_meanwhile_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "accounts"
    path.touch(0o600)
    others = iter(["carol:*\n", "dave:*\n"])
    fsync = os.fsync

    def meanwhile(descriptor: int) -> None:
        with path.open("a") as file:
            file.write(next(others, ""))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", meanwhile)
    assert add_account(path, account("alice"))
    assert list(read_accounts(path)) == ["carol", "dave", "alice"]


def test_what_cannot_be_written_leaves_the_file_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "accounts"
    path.write_text("bob:*\n")
    path.chmod(0o644)
    with pytest.raises(AccountFileError, match="others can read or write it"):
        add_account(path, account("alice"))
    path.chmod(0o600)
    monkeypatch.setattr(account_file, "MOST_LINES", 1)
    with pytest.raises(AccountFileError, match="it is full"):
        add_account(path, account("alice"))
    path.unlink()
    with pytest.raises(AccountFileError, match="No such file"):
        add_account(path, account("alice"))
    assert os.listdir(tmp_path) == []


# ── who may, and what it costs ──────────────────────────────────────────────────────


def test_an_account_is_there_at_once_and_in_the_file(tmp_path: Path) -> None:
    registry = Registry(tmp_path, "bob:*")
    alice = registry.enter("Alice")
    changed: list[None] = []
    registry.chat.accounts_changed.append(lambda: changed.append(None))
    made = registry.make(alice, "péncil case")
    registry.clock.advance(0.5)
    assert (made, registry.told, len(changed)) == (
        ["Alice"],
        [AccountMade("Alice", "192.0.2.1")],
        1,
    )
    assert list(read_accounts(registry.path)) == ["bob", "alice"]
    assert registry.chat.owner_of("alice") == "Alice"
    seen: list[Any] = []
    registry.chat.authenticate("alice", "pe\u0301ncil case", "::1").addBoth(seen.append)
    assert seen == ["Alice"]
    assert registry.make(alice) == ["account_exists"]


@pytest.mark.parametrize(
    ("password", "code"),
    [("", "bad_password"), ("seven77", "weak_password"), ("x" * 257, "bad_password")],
)
def test_a_password_has_its_bounds(tmp_path: Path, password: str, code: str) -> None:
    registry = Registry(tmp_path)
    assert registry.make(registry.enter("alice"), password) == [code]
    assert registry.path.read_text() == ""


def test_nobody_makes_one_where_that_is_not_said(tmp_path: Path) -> None:
    registry = Registry(tmp_path, register=False)
    assert registry.make(registry.enter("alice")) == ["no_accounts"]


def test_each_account_costs_its_host_what_a_wrong_password_does(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    made = [registry.make(registry.enter(nick)) for nick in ("ann", "bob", "cat")]
    other = registry.make(registry.enter("dora", "192.0.2.7"))
    registry.clock.advance(0.5)
    assert (made, other) == ([["ann"], [], []], ["dora"])
    registry.clock.advance(1.0)
    assert made == [["ann"], ["bob"], []]
    registry.clock.advance(2.0)
    assert made == [["ann"], ["bob"], ["cat"]]


def test_two_who_look_alike_make_one_account_at_a_time(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    hashing: Deferred[Any] = Deferred()
    registry.chat.logins._in_thread = lambda work: hashing
    alice = registry.enter("alice")
    first = registry.make(alice)
    registry.chat.hub.quit(alice)
    assert registry.make(registry.enter("Alice")) == ["account_exists"]
    hashing.callback(None)
    registry.clock.advance(0.5)
    assert first == ["account_exists"]  # for somebody has written one by hand meanwhile


def test_what_cannot_be_written_is_no_account_and_in_the_log(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    alice = registry.enter("alice")
    registry.path.chmod(0o666)
    made = registry.make(alice)
    registry.clock.advance(0.5)
    assert made == ["not_saved"]
    [event] = registry.told
    assert isinstance(event, AccountNotSaved)
    assert registry.chat.owner_of("alice") is None
    registry.path.chmod(0o600)
    again = registry.make(alice)
    registry.clock.advance(2.0)
    assert again == ["alice"]


# ── accounts that are taken away ────────────────────────────────────────────────────


def test_whose_account_is_no_more_is_logged_out_and_told(tmp_path: Path) -> None:
    operators = tmp_path / "operators"
    operators.write_text(f"root:{HASH}\neve:{HASH}\n")
    operators.chmod(0o600)
    registry = Registry(tmp_path, f"alice:{HASH}", f"bob:{HASH}", operators=operators)
    told: dict[str, list[str]] = {}
    people = {}
    for name in ("alice", "bob", "root", "eve"):
        people[name] = one = registry.enter(f"x{name}")
        one.write = told.setdefault(name, []).append
        one.render = lambda event: type(event).__name__
        one.account = name
        empower(one, registry.chat.logins, name)
    registry.path.write_text(f"bob:{HASH}\neve:{HASH}\n")
    operators.write_text(f"root:{HASH}\n")
    registry.chat.reload_service()
    assert {name: one.account for name, one in people.items()} == {
        "alice": None,
        "bob": "bob",
        "root": "root",
        "eve": "eve",
    }
    assert [name for name, one in people.items() if one.operator] == ["root"]
    lost = {"alice": ["AccountSet", "LoggedOut"], "bob": [], "root": [], "eve": ["OperatorLost"]}
    assert told == lost
