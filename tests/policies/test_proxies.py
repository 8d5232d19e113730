"""Whose PROXY headers are believed, and which listeners expect one."""

from __future__ import annotations

from pathlib import Path

import pytest

from socketsuite.policies.proxies import Proxies, proxy_word
from socketsuite.settings import SettingsError


@pytest.mark.parametrize(
    ("words", "tcp", "unix"),
    [
        ((), False, False),
        (("10.0.0.0/8",), True, False),
        (("unix",), False, True),
        (("10.0.0.0/8", "unix"), True, True),
    ],
)
def test_networks_are_for_tcp_ports_and_a_word_for_unix_sockets(
    words: tuple[str, ...], tcp: bool, unix: bool
) -> None:
    proxies = Proxies(words)
    assert proxies.expected(local=False) == tcp
    assert proxies.expected(local=True) == unix


def test_a_file_names_networks_and_cannot_take_the_header_off_a_listener(tmp_path: Path) -> None:
    file = tmp_path / "proxies"
    file.write_text("# nobody\n")
    proxies = Proxies([f"@{file}", "unix"])
    assert proxies.kinds == (True, True)
    assert not proxies.trusts("10.0.0.1")
    file.write_text("10.0.0.0/8\nunix\n")
    with pytest.raises(SettingsError, match=r"proxies, line 2: 'unix' is not valid"):
        Proxies([f"@{file}"])


def test_a_caller_of_a_unix_socket_is_for_its_mode_to_judge() -> None:
    proxies = Proxies(["10.0.0.0/8", "unix"])
    assert [proxies.trusts(host) for host in (None, "10.1.2.3", "::ffff:10.1.2.3")] == [True] * 3
    assert not proxies.trusts("192.0.2.1")


def test_the_word_is_read_before_a_file_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "unix").write_text("10.0.0.0/8\n")
    assert proxy_word(" unix ") == "unix"
    assert proxy_word("./unix") == f"@{tmp_path}/unix"
    assert proxy_word("10.0.0.0/8") == "10.0.0.0/8"


@pytest.mark.parametrize("word", ["unixx", "UNIX", "", None, 7])
def test_what_is_neither_is_refused_with_what_is_allowed(word: object) -> None:
    with pytest.raises(ValueError, match=r"a network such as .*; or unix for Unix sockets$"):
        proxy_word(word)
