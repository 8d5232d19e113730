"""Who a request is from, as proxies tell it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.wire.forwarded import ForwardedError, believed_host, host_of

PROXIES = {"10.0.0.1", "10.0.0.2", "2001:db8::1", None}


def believed(
    forwarded: str = "", x_forwarded_for: str = "", peer: str | None = "10.0.0.1"
) -> str | None:
    return believed_host(
        peer,
        [forwarded.encode()] if forwarded else [],
        [x_forwarded_for.encode()] if x_forwarded_for else [],
        lambda host: host in PROXIES,
    )


@pytest.mark.parametrize("peer", ["192.0.2.1", "2001:db8::2"])
def test_nobody_else_is_believed(peer: str) -> None:
    assert believed("for=1.2.3.4", "1.2.3.4", peer) == peer
    assert believed("nonsense;;", "nonsense", peer) == peer


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", "10.0.0.1"),
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4:5678", "1.2.3.4"),
        ("[2001:DB8::7]:5678", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("evil, 1.2.3.4", "1.2.3.4"),
        ("5.6.7.8, 1.2.3.4, 10.0.0.2", "1.2.3.4"),
        ("10.0.0.2", "10.0.0.2"),
        ("10.0.0.2, 10.0.0.1", "10.0.0.2"),
        ("1.2.3.4, unknown", "10.0.0.1"),
        ("1.2.3.4, unknown, 10.0.0.2", "10.0.0.2"),
    ],
)
def test_the_first_from_the_right_that_is_not_trusted(said: str, expected: str) -> None:
    assert believed(x_forwarded_for=said) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("for=1.2.3.4", "1.2.3.4"),
        ('For="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"),
        ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
        ("for=192.0.2.43, for=198.51.100.17", "198.51.100.17"),
        ("for=198.51.100.17 , for=10.0.0.2;host=a", "198.51.100.17"),
        ('for="1.2.3.4:80"', "1.2.3.4"),
        ("for=_hidden, for=_SEVKISEK", "10.0.0.1"),
        ("for=unknown", "10.0.0.1"),
        ("proto=https", "10.0.0.1"),
        ('host="a, for=9.9.9.9";for=1.2.3.4', "1.2.3.4"),
        (r'for="1.2.3\.4"', "1.2.3.4"),
    ],
)
def test_rfc_7239(said: str, expected: str) -> None:
    assert believed(said) == expected


@pytest.mark.parametrize(
    "said",
    [
        'for="1.2.3.4',
        'for="evil, for=1.2.3.4',
        "for=1.2.3.4;for=5.6.7.8",
        "for=nonsense",
        "for=1.2.3.999",
        "for=[::1",
        "=1.2.3.4",
        "for",
        "for=1.2.3.4 for=2.3.4.5",
        "for=\x00",
    ],
)
def test_words_that_make_no_sense_are_refused(said: str) -> None:
    with pytest.raises(ForwardedError):
        believed(said)


def test_two_headers_that_differ_are_refused() -> None:
    assert believed("for=1.2.3.4", "1.2.3.4") == "1.2.3.4"
    with pytest.raises(ForwardedError, match="differ"):
        believed("for=1.2.3.4", "5.6.7.8")


def test_a_unix_sockets_peer_may_be_a_proxy() -> None:
    assert believed(x_forwarded_for="1.2.3.4", peer=None) == "1.2.3.4"
    assert believed(peer=None) is None


def test_too_many_hops_are_refused() -> None:
    with pytest.raises(ForwardedError, match="too many"):
        believed(x_forwarded_for=", ".join(["10.0.0.2"] * 33))


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=60))
def test_no_words_are_more_than_refused(said: str) -> None:
    values = [said.encode("latin-1")]
    pairs: list[tuple[list[bytes], list[bytes]]] = [(values, []), ([], values)]
    for forwarded, others in pairs:
        try:
            found = believed_host("10.0.0.1", forwarded, others, lambda host: host in PROXIES)
        except ForwardedError:
            continue
        assert found is not None
        assert host_of(found) == found
