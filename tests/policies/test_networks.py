"""Lists of networks: what is in them, and what is said of a mistake."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.addresses import host_key
from socketsuite.policies.networks import Admission, Networks, network_word
from socketsuite.reasons import ALLOW, DENY
from socketsuite.settings import SettingsError, setting, settings_of


@pytest.mark.parametrize(
    ("words", "host", "inside"),
    [
        (["10.0.0.0/8"], "10.255.255.255", True),
        (["10.0.0.0/8"], "11.0.0.0", False),
        (["192.0.2.7"], "192.0.2.7", True),
        (["192.0.2.7"], "192.0.2.6", False),
        (["0.0.0.0/0"], "203.0.113.9", True),
        (["0.0.0.0/0"], "::1", False),
        (["::/0"], "2001:db8::1", True),
        (["::/0"], "203.0.113.9", False),
        (["::/0"], "::ffff:203.0.113.9", False),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["::ffff:10.0.0.0/104"], "10.1.2.3", True),
        (["2001:db8::/32"], "2001:db8:ffff::1", True),
        (["2001:db8::/32"], "2001:db9::1", False),
        (["fe80::/10"], "fe80::1%eth0", True),
        (["fe80::1"], "fe80::1%eth0", True),
        (["192.0.2.1", "10.0.0.0/8", "2001:db8::/32"], "2001:db8::1", True),
        (["192.0.2.1", "10.0.0.0/8", "2001:db8::/32"], "10.0.0.1", True),
        ([], "10.0.0.1", False),
    ],
)
def test_a_host_is_in_the_networks_that_hold_it(words: list[str], host: str, inside: bool) -> None:
    assert (host in Networks(words)) is inside


@pytest.mark.parametrize(
    "peer", [None, "", "/run/socket", "localhost", b"\x7f\0\0\1", "1\0", "٣.1.1.1"]
)
def test_what_is_no_address_is_in_no_list(peer: Any) -> None:
    assert peer not in Networks(["0.0.0.0/0", "::/0"])


@given(
    st.lists(st.ip_addresses(v=4).flatmap(lambda a: st.tuples(st.just(a), st.integers(0, 32)))),
    st.ip_addresses(v=4),
)
def test_membership_is_what_the_standard_library_says(
    pairs: list[tuple[ipaddress.IPv4Address, int]], host: ipaddress.IPv4Address
) -> None:
    networks = [ipaddress.ip_network((int(a), length), strict=False) for a, length in pairs]
    expected = any(host in network for network in networks)
    assert (str(host) in Networks(map(str, networks))) is expected


def test_a_word_with_host_bits_is_refused_with_both_cures() -> None:
    with pytest.raises(
        SettingsError, match=r"10\.0\.0\.0/8 for the whole network or 10\.0\.0\.1 for"
    ):
        Networks(["10.0.0.1/8"])


@pytest.mark.parametrize(
    "word",
    ["", " ", "@", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/255.0.0.0", "10.0.0.0/",
     "10.0.0", "010.0.0.1", "localhost", "fe80::1%eth0", "1.2.3.4/٣", "a\0b"],
)  # fmt: skip
def test_a_word_that_is_no_network_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        network_word(word)


@dataclass(eq=False)
class Group:
    allow: tuple[str, ...] = setting((), "who", parse=network_word)


def test_a_setting_reads_words_and_says_what_is_allowed() -> None:
    (allow,) = settings_of(Group)
    assert allow.read(["10.0.0.0/8", " ::1 "], "--allow") == ("10.0.0.0/8", "::1/128")
    assert "10.0.0.0/8" in allow.allowed
    for raw in (8, None, "nowhere"):
        with pytest.raises(
            SettingsError, match=r"allow = .* \(--allow\) is not valid; allowed: a net"
        ):
            allow.read([raw], "--allow")


# ── files ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def list_file(tmp_path: Path) -> Path:
    path = tmp_path / "list"
    path.write_text("# office\n\n10.0.0.0/8  # the old one\n 2001:db8::/32\r\n")
    return path


@pytest.mark.parametrize("mark", ["@", ""])
def test_a_file_holds_one_network_on_each_line(list_file: Path, mark: str) -> None:
    networks = Networks([f"{mark}{list_file}", "192.0.2.1"])
    assert len(networks) == 3
    assert "10.1.1.1" in networks
    assert "2001:db8::1" in networks
    assert "192.0.2.1" in networks


def test_a_files_path_is_absolute_from_the_start(
    list_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(list_file.parent)
    assert network_word("@list") == network_word("list") == f"@{list_file}"


def test_a_file_does_not_hide_a_slip_of_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "10.0.0.1").mkdir()
    (tmp_path / "10.0.0.1" / "8").write_text("0.0.0.0/0\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="has bits set"):
        network_word("10.0.0.1/8")


def test_reading_again_gives_a_new_list_and_leaves_the_old(list_file: Path) -> None:
    before = Networks([f"@{list_file}"])
    list_file.write_text("192.0.2.0/24\n")
    after = before.reread()
    assert "192.0.2.1" in after
    assert "10.0.0.1" not in after
    assert "10.0.0.1" in before
    assert "192.0.2.1" not in before


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"10.0.0.0/8\n\nnowhere\n", "list, line 3: 'nowhere' is not valid; allowed: a network"),
        (b"10.0.0.1/8\n", "list, line 1: .* 10.0.0.0/8 for the whole network or 10.0.0.1"),
        (b"@other\n", "list, line 1: '@other' is not valid"),
        (b"\xff\xfe", "list is not text"),
    ],
)
def test_a_wrong_file_is_refused_whole_naming_the_line(
    list_file: Path, content: bytes, says: str
) -> None:
    before = Networks([f"@{list_file}"])
    list_file.write_bytes(content)
    with pytest.raises(SettingsError, match=says):
        before.reread()
    assert "10.1.1.1" in before


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read .*/gone: No such file"):
        Networks([f"@{tmp_path}/gone"])
    with pytest.raises(SettingsError, match="not a regular file"):
        Networks([f"@{tmp_path}"])


def test_thousands_of_networks_are_a_few_sets() -> None:
    networks = Networks(f"10.{high}.{low}.0/24" for high in range(40) for low in range(256))
    assert len(networks) == 40 * 256
    assert "10.39.255.1" in networks
    assert "10.40.0.1" not in networks
    assert sum(len(sets) for sets in networks._sets.values()) == 1


# ── who is let in ───────────────────────────────────────────────────────────────────────


def test_without_lists_everybody_is_let_in() -> None:
    assert not Admission()
    assert Admission().refusal("192.0.2.1") is None


def test_an_allow_list_lets_in_only_its_own() -> None:
    admission = Admission(Networks(["10.0.0.0/8"]))
    assert admission
    assert admission.refusal("10.0.0.1") is None
    assert admission.refusal("192.0.2.1") == ALLOW
    assert admission.refusal("::1") == ALLOW


def test_deny_wins() -> None:
    admission = Admission(Networks(["10.0.0.0/8"]), Networks(["10.1.0.0/16"]))
    assert admission.refusal("10.0.0.1") is None
    assert admission.refusal("::ffff:10.1.0.1") == DENY


def test_an_allow_list_whose_file_is_emptied_lets_nobody_in(list_file: Path) -> None:
    admission = Admission(Networks([f"@{list_file}"]))
    list_file.write_text("")
    assert admission.reread().refusal("10.0.0.1") == ALLOW
    list_file.write_text("10.0.0.0/8")
    assert admission.reread().reread().refusal("10.0.0.1") is None


def test_a_list_is_true_when_something_was_said(list_file: Path) -> None:
    list_file.write_text("# nobody yet\n")
    assert Networks([f"@{list_file}"])
    assert not Networks()


def test_a_caller_without_an_address_is_not_judged() -> None:
    assert Admission(Networks(["10.0.0.0/8"]), Networks(["::/0"])).refusal(None) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8::ff00:0:0:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("0.0.0.0", "::1", False),
    ],
)
def test_one_host_is_an_ipv4_address_or_an_ipv6_64(one: str, other: str, same: bool) -> None:
    assert (host_key(one) == host_key(other)) is same
