"""The PROXY protocol's header, however the network cuts it, and whatever a peer makes of it."""

from __future__ import annotations

import contextlib
import ipaddress
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.wire import proxy
from socketsuite.wire.proxy import BadHeader, Header, HeaderFramer, crc32c

SIGNATURE = bytes.fromhex("0D0A0D0A000D0A515549540A")
LINE = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
LINE_HEADER = Header(1, ("192.0.2.1", 56324), ("198.51.100.2", 443))
IPV4 = bytes([192, 0, 2, 1, 198, 51, 100, 2]) + struct.pack("!HH", 56324, 443)
IPV6 = (
    ipaddress.ip_address("2001:db8::1").packed
    + ipaddress.ip_address("2001:db8::2").packed
    + struct.pack("!HH", 56324, 443)
)


def block(command: int, family: int, rest: bytes, *, length: int | None = None) -> bytes:
    """Return a header of version 2; *command* and *family* are whole bytes."""
    size = len(rest) if length is None else length
    return SIGNATURE + struct.pack("!BBH", command, family, size) + rest


def extension(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


BLOCK = block(0x21, 0x11, IPV4 + extension(0x04, b"") + extension(0xE0, b"a proxy's own"))
BLOCK_HEADER = Header(2, ("192.0.2.1", 56324), ("198.51.100.2", 443))
BOTH = [(LINE, LINE_HEADER), (BLOCK, BLOCK_HEADER)]


def read(chunks: list[bytes]) -> tuple[Header | None, bytes]:
    """Read as a reader should; return the header, and what was left to others."""
    framer, header, waiting = HeaderFramer(), None, b""
    for chunk in chunks:
        waiting += chunk
        while header is None and waiting:
            count = framer.belonging(waiting)
            assert 0 < count <= len(waiting)
            header, waiting = framer.feed(waiting[:count]), waiting[count:]
    return header, waiting


def parse(data: bytes) -> Header | None:
    header, rest = read([data])
    assert rest == b""
    return header


def complaint(data: bytes) -> str:
    with pytest.raises(BadHeader) as caught:
        read([data])
    return str(caught.value)


# ── cuts ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("data", "header", "cut"),
    [(data, header, cut) for data, header in BOTH for cut in range(1, len(data))],
)
def test_a_cut_anywhere_changes_nothing(data: bytes, header: Header, cut: int) -> None:
    framer = HeaderFramer()
    assert framer.belonging(data[:cut]) == cut
    assert framer.feed(data[:cut]) is None
    assert framer.belonging(data[cut:] + b"\r\nhello") == len(data) - cut
    assert framer.feed(data[cut:]) == header


@given(st.sampled_from(BOTH), st.binary(max_size=50), st.lists(st.integers(0, 120)))
def test_what_follows_the_header_is_left_whole(
    case: tuple[bytes, Header], payload: bytes, cuts: list[int]
) -> None:
    data = case[0] + payload
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert read([data[a:b] for a, b in pairwise(edges)]) == (case[1], payload)


def test_nothing_belongs_to_a_header_that_is_complete() -> None:
    framer = HeaderFramer()
    assert framer.feed(LINE) == LINE_HEADER
    assert framer.belonging(b"GET /") == 0


def test_bytes_that_are_not_the_headers_are_not_swallowed() -> None:
    with pytest.raises(ValueError, match="not all the header's"):
        HeaderFramer().feed(LINE + b"GET /")


# ── garbage ─────────────────────────────────────────────────────────────────────────────

begun = st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", b"PROXY TCP6 ", SIGNATURE])
family = st.sampled_from([b"\x21\x11", b"\x21\x21", b"\x21\x31", b"\x20\x00", b"\x21\x12"])
binary = st.builds(lambda f, b: block(f[0], f[1], b), family, st.binary(max_size=300))
words = st.lists(
    st.sampled_from([b"1.2.3.4", b"::1", b"0", b"65535", b"99999", b"", b"+1", b"\xb2", b"%"]),
    max_size=6,
)
lines = st.builds(lambda start, w: start + b" ".join(w) + b"\r\n", begun, words)
garbage = st.one_of(st.builds(bytes.__add__, begun, st.binary(max_size=300)), binary, lines)


@given(garbage, st.integers(1, 40))
def test_garbage_is_refused_and_raises_nothing_else(data: bytes, step: int) -> None:
    header = None
    with contextlib.suppress(BadHeader):
        header, _ = read([data[at : at + step] for at in range(0, len(data), step)])
    if header is not None and header.source is not None:
        ipaddress.ip_address(header.source[0])
        assert 0 <= header.source[1] <= 65535


@pytest.mark.parametrize("data", [b"G", b"\x16", b"PROXY\t", b"\r\n\r\n\r", b"PROXZ", b"p"])
def test_what_cannot_become_a_header_is_refused_at_the_first_wrong_byte(data: bytes) -> None:
    framer = HeaderFramer()
    assert framer.feed(data[:-1]) is None
    with pytest.raises(BadHeader, match="something else"):
        framer.feed(data[-1:])


# ── version 1 ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("line", "source", "destination"),
    [
        # The longest lines that the specification gives.
        (
            b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
            ("255.255.255.255", 65535),
            ("255.255.255.255", 65535),
        ),
        (
            b"PROXY TCP6 " + b" ".join([b":".join([b"ffff"] * 8)] * 2) + b" 65535 65535\r\n",
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535),
        ),
        # And the request in its section 2.1.
        (
            b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
            ("192.168.0.1", 56324),
            ("192.168.0.11", 443),
        ),
        (b"PROXY TCP6 2001:DB8:0::1 ::1 0 1\r\n", ("2001:db8::1", 0), ("::1", 1)),
        (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 1\r\n", ("192.0.2.1", 1), ("::1", 1)),
    ],
)
def test_a_line_tells_both_addresses(
    line: bytes, source: tuple[str, int], destination: tuple[str, int]
) -> None:
    assert parse(line) == Header(1, source, destination)


def test_an_unknown_connection_stays_its_peers_own_whatever_the_line_says() -> None:
    longest = b"PROXY UNKNOWN " + b" ".join([b":".join([b"ffff"] * 8)] * 2) + b" 65535 65535\r\n"
    assert len(longest) == 107
    for line in (longest, b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN \n\x00\xff\r\r\n"):
        assert parse(line) == Header(1)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"TCP5 192.0.2.1 192.0.2.2 1 2", "neither TCP4"),
        (b"UDP4 192.0.2.1 192.0.2.2 1 2", "neither TCP4"),
        (b"UNKNOWNS", "neither TCP4"),
        (b"", "neither TCP4"),
        (b"tcp4 192.0.2.1 192.0.2.2 1 2", "neither TCP4"),
        (b"TCP4 192.0.2.1 192.0.2.2 1", "two addresses"),
        (b"TCP4 192.0.2.1 192.0.2.2 1 2 3", "two addresses"),
        (b"TCP4  192.0.2.1 192.0.2.2 1 2", "two addresses"),
        (b"TCP4 192.0.2.1 192.0.2.2 1 2 ", "two addresses"),
        (b"TCP4 ::1 ::2 1 2", "not an address"),
        (b"TCP6 192.0.2.1 192.0.2.2 1 2", "not an address"),
        (b"TCP4 192.0.2.01 192.0.2.2 1 2", "not an address"),
        (b"TCP4 192.0.2 192.0.2.2 1 2", "not an address"),
        (b"TCP4 192.0.2.256 192.0.2.2 1 2", "not an address"),
        (b"TCP4 localhost 192.0.2.2 1 2", "not an address"),
        (b"TCP4 \xff.0.2.1 192.0.2.2 1 2", "not an address"),
        (b"TCP6 fe80::1%eth0 ::2 1 2", "not an address"),
        (b"TCP6 ::1/64 ::2 1 2", "not an address"),
        (b"TCP4 192.0.2.1 192.0.2.2 65536 2", "not a port"),
        (b"TCP4 192.0.2.1 192.0.2.2 1 999999999999", "not a port"),
        (b"TCP4 192.0.2.1 192.0.2.2 -1 2", "not a port"),
        (b"TCP4 192.0.2.1 192.0.2.2 +1 2", "not a port"),
        (b"TCP4 192.0.2.1 192.0.2.2 1_0 2", "not a port"),
        (b"TCP4 192.0.2.1 192.0.2.2 01 2", "not a port"),
        (b"TCP4 192.0.2.1 192.0.2.2  2", "not a port"),
        (b"TCP4 192.0.2.1 192.0.2.2 1 \xb2", "not a port"),
        (b"TCP4 192.0.2.1 192.0.2.2 1 2\n", "not a port"),
    ],
)
def test_a_line_is_taken_literally(line: bytes, reason: str) -> None:
    assert reason in complaint(b"PROXY " + line + b"\r\n")


def test_a_line_ends_within_107_bytes() -> None:
    start = b"PROXY UNKNOWN "
    exact = start + b"x" * (107 - len(start) - 2) + b"\r\n"
    assert parse(exact) == Header(1)
    assert HeaderFramer().feed(exact[:-2] + b"x") is None
    assert complaint(exact[:-2] + b"x\r\n") == "no end of line within 107 bytes"


# ── version 2 ───────────────────────────────────────────────────────────────────────────


def test_a_block_tells_both_addresses() -> None:
    assert parse(block(0x21, 0x11, IPV4)) == BLOCK_HEADER
    ends = ("2001:db8::1", 56324), ("2001:db8::2", 443)
    assert parse(block(0x21, 0x21, IPV6)) == Header(2, *ends)


def test_an_ipv4_client_in_the_guise_of_ipv6_is_named_as_ipv4() -> None:
    mapped = ipaddress.ip_address("::ffff:192.0.2.1").packed
    header = parse(block(0x21, 0x21, mapped + IPV6[16:]))
    assert header is not None
    assert header.source == ("192.0.2.1", 56324)


@pytest.mark.parametrize(
    "data",
    [
        block(0x20, 0x00, b""),
        block(0x20, 0x11, IPV4),
        block(0x20, 0xFF, b"whatever the family is, and this is"),
        block(0x21, 0x00, b"ignored"),
        block(0x21, 0x01, b""),
        block(0x21, 0x10, IPV4),
        block(0x21, 0x12, IPV4),
        block(0x21, 0x22, IPV6),
        block(0x21, 0x31, b"/run/a".ljust(108, b"\0") + b"/run/b".ljust(108, b"\0")),
    ],
    ids=[
        *("local", "local with addresses", "local with an odd family", "unspecified"),
        *("no family", "no transport", "udp4", "udp6", "unix"),
    ],
)
def test_a_block_without_a_tcp_client_leaves_the_connection_its_peers_own(data: bytes) -> None:
    assert parse(data) == Header(2)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (block(0x11, 0x11, IPV4), "of version 1"),
        (block(0x31, 0x11, IPV4), "of version 3"),
        (block(0x22, 0x11, IPV4), "unknown command 2"),
        (block(0x21, 0x41, IPV4), "unknown family 4"),
        (block(0x21, 0x13, IPV4), "or transport 3"),
        (block(0x21, 0x11, IPV4[:-1]), "shorter than its addresses"),
        (block(0x21, 0x21, IPV4), "shorter than its addresses"),
        (block(0x21, 0x31, b"/run/a"), "shorter than its addresses"),
        (block(0x21, 0x11, IPV4 + b"\x01"), "reaches beyond"),
        (block(0x21, 0x11, IPV4 + b"\x01\x00"), "reaches beyond"),
        (block(0x21, 0x11, IPV4 + b"\x01\x00\x05abcd"), "reaches beyond"),
        (block(0x21, 0x11, b"", length=proxy.MAX_BLOCK + 1), "more than 4096 bytes"),
    ],
)
def test_a_block_is_taken_literally(data: bytes, reason: str) -> None:
    assert reason in complaint(data)


def test_the_longest_block_is_read() -> None:
    filler = extension(0x04, bytes(proxy.MAX_BLOCK - len(IPV4) - 3))
    data = block(0x21, 0x11, IPV4 + filler)
    assert len(data) == proxy.MAX_HEADER
    assert parse(data) == BLOCK_HEADER


def test_the_checksum_is_castagnolis() -> None:
    # The check value of the catalogues, and the zeros of RFC 3720, appendix B.4.
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA


def test_a_checksum_is_verified_where_there_is_one() -> None:
    def summed(value: bytes) -> bytes:
        rest = IPV4 + extension(0x04, b"x") + extension(0x03, value) + extension(0x05, b"id")
        return block(0x21, 0x11, rest)

    right = struct.pack("!I", crc32c(summed(bytes(4))))
    assert parse(summed(right)) == BLOCK_HEADER
    assert complaint(summed(right[::-1])) == "wrong checksum"
    assert complaint(summed(right[:3])) == "wrong checksum"
    flipped = bytearray(summed(right))
    flipped[16] ^= 1
    assert complaint(bytes(flipped)) == "wrong checksum"
