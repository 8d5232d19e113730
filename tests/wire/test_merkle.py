"""The tree hash: against its definition, and against the vectors of RFC 6962's implementations."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.wire.merkle import EMPTY, LEAF, LeafTree, TreeHash, leaf_hash

# The leaves and roots that Certificate Transparency's implementations are tried with.
VECTORS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
           "606162636465666768696a6b6c6d6e6f"]  # fmt: skip


def defined(leaves: list[bytes]) -> bytes:
    """Return the root as RFC 6962, section 2.1, defines it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    both = defined(leaves[:split]) + defined(leaves[split:])
    return hashlib.sha256(b"\x01" + both).digest()


def leaves_of(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def test_the_definition_here_gives_the_known_roots():
    roots = [defined([bytes.fromhex(one) for one in VECTORS[:n]]).hex() for n in (1, 2, 3, 8)]
    assert roots == [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]


@given(st.binary(max_size=70), st.integers(1, 5), st.lists(st.integers(0, 70)))
def test_however_the_bytes_come_the_root_is_the_defined_one_for_every_prefix(data, size, cuts):
    tree, done = TreeHash(size), 0
    for cut in [*sorted(min(one, len(data)) for one in cuts), len(data)]:
        tree.feed(memoryview(data)[done:cut])
        done = cut
        assert tree.size == cut
        assert tree.root() == defined(leaves_of(data[:cut], size))


@given(st.binary(max_size=70), st.binary(max_size=70), st.integers(1, 5))
def test_a_state_that_was_put_down_goes_on_as_if_nothing_had_been(before, after, size):
    whole = len(before) // size * size
    first = TreeHash(size)
    first.feed(before[:whole])
    leaves, frontier = first.frontier()
    second = TreeHash.restore(leaves, frontier, size)
    second.feed(before[whole:])
    copied = second.copy()
    copied.feed(b"another way")
    second.feed(after)
    assert second.root() == defined(leaves_of(before + after, size))
    assert copied.root() == defined(leaves_of(before + b"another way", size))


@given(st.binary(max_size=70), st.integers(1, 5))
def test_the_leaves_hashes_alone_give_the_same_root(data, size):
    hashes = [leaf_hash(one) for one in leaves_of(data, size)]
    tree = LeafTree()
    for one in hashes[:-1]:
        tree.push(one)
    last = hashes[-1] if hashes else None
    assert tree.root(last) == defined(leaves_of(data, size))
    again = LeafTree(tree.leaves, tree.frontier())
    if last is not None:
        again.push(last)
    assert again.root() == tree.root(last)


def test_leaves_have_64_kib_and_nothing_has_the_hash_of_nothing():
    data = bytes(range(256)) * 700
    tree = TreeHash()
    assert tree.root() == EMPTY == hashlib.sha256(b"").digest()
    tree.feed(data)
    assert tree.root() == defined(leaves_of(data, LEAF))


IMPOSSIBLE = [(-1, []), (1, []), (2, [EMPTY, EMPTY]), (1, [b"a"])]


@pytest.mark.parametrize(("leaves", "frontier"), IMPOSSIBLE)
def test_a_state_that_cannot_be_is_refused(leaves, frontier):
    with pytest.raises(ValueError, match=r"frontier|32 bytes"):
        TreeHash.restore(leaves, frontier)
