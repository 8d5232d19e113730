"""What a template has named, and what it could not have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.storage.names import NUMBER, ConnectionNames, Template, numbered
from socketsuite.storage.template_match import TemplateMatch

_CONNECTION = ConnectionNames(1_800_000_000.25).next()
_TEMPLATES = [
    "{date}.log",
    "{date}/{peer}/{connection}",
    "x-{seq}.log",
    "{stream}/{date}-{seq}",
    "{date}/{peer}.{date}.{peer}-{seq}.{{}}",
    "{stream}.{seq}.rec",
]


@given(
    text=st.sampled_from(_TEMPLATES),
    peer=st.ip_addresses(),
    stream=st.text(),
    seq=st.integers(1, 10**9),
)
def test_whatever_a_template_names_is_known_again(text, peer, stream, seq):
    template = Template(f"/base/{text}")
    values = {"peer": str(peer), "stream": stream, "date": "2026-01-31", "connection": _CONNECTION}
    path = template.expand(**values, seq=seq)
    for suffix in ["", ".gz", ".zst"] if "seq" in template.fields else [""]:
        match = TemplateMatch(template).match(path + suffix)
        assert match is not None
        assert match.name == template.expand(**values)
        assert numbered(match.name, seq) == path
        assert match.number == (seq if "seq" in template.fields else 0)
        assert match.connection == ("connection" in template.fields)
        assert (match.compression != "none") == bool(suffix)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{date}.log", "2026-01-31.txt"),
        ("{date}.log", "notes.log"),
        ("{date}.log", "x/2026-01-31.log"),
        ("{date}.log", "2026-01-31.log.gz"),
        ("{date}/{date}.log", "2026-01-31/2026-01-30.log"),
        ("{peer}.{date}", "notes.2026-01-31"),
        ("{stream}.{date}", "a!.2026-01-31"),
        ("{stream}.{date}", "~a.2026-01-31"),
        ("{connection}.log", "1.log"),
        ("{seq}.log", "1.log"),
        ("{seq}.log", "000000.log"),
        ("{seq}.log", "0000001.log"),
        ("{seq}.log", "000001.log~tmp"),
    ],
)
def test_what_a_template_could_not_have_named_is_not_taken_for_its(text, path):
    assert TemplateMatch(Template(text)).match(path) is None


def test_two_streams_never_have_the_same_numbered_file():
    template = Template("{stream}-{seq}")
    match = TemplateMatch(template).match(template.expand(stream="a-000001", seq=2))
    assert match is not None
    assert match.name == f"a-000001-{NUMBER}"
