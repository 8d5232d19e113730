"""Names of files that are made from what peers say."""

from __future__ import annotations

import os
import urllib.parse
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.storage.names import (
    ConnectionNames,
    Template,
    encode_component,
    encode_path,
    is_own_name,
    numbered,
)
from tests.support.hostile_names import check_names, hostile_names

HOSTILE = 20_000  # a million by python -m tests.campaigns.hostile_names


@pytest.mark.parametrize(
    "text", ["a", "rec.2026-01-31", "été 9_@+=,x", "日本語", "a" * 200, "Ünï", "x..y"]
)
def test_ordinary_names_stay_as_they_are(text):
    assert encode_component(text) == text
    assert encode_path(f"{text}/{text}") == f"{text}/{text}"


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("...", "%2E.%2E"),
        (".hidden", "%2Ehidden"),
        (" a ", "%20a%20"),
        ("a.", "a%2E"),
        ("::1", "%3A%3A1"),
        ("a/b", "a%2Fb"),
        ("50%", "50%25"),
        ("~", "%7E"),
        ("a\0\n", "a%00%0A"),
        ("\u3164", "%E3%85%A4"),
        ("\u202e", "%E2%80%AE"),
        ("e\u0301", "e%CC%81"),
        ("\u212b", "%E2%84%AB"),
        ("\u1100\u1161", "%E1%84%80%E1%85%A1"),
        ("\ud800", "%ED%A0%80"),
        ("", "%-"),
    ],
)
def test_what_is_not_ordinary_is_percent_encoded(text, encoded):
    assert encode_component(text) == encoded


@given(st.text(max_size=60))
def test_what_is_encoded_can_be_decoded_and_so_is_never_had_twice(text):
    encoded = encode_component(text)
    if encoded != "%-" and "%-" not in encoded:
        decoded = urllib.parse.unquote_to_bytes(encoded.encode())
        assert decoded == text.encode("utf-8", "surrogatepass")


@given(st.text(min_size=60))
def test_a_name_that_is_too_long_ends_with_its_digest(text):
    encoded = encode_component(text)
    size = len(encoded.encode())
    assert size <= 200
    assert ("%-" not in encoded) or size >= 200 - 11
    assert encode_component(text + "x") != encoded


def test_long_names_that_begin_alike_are_different():
    long = {encode_component("é" * 300 + str(number)) for number in range(100)}
    assert len(long) == 100
    assert max(len(one.encode()) for one in long) <= 200


def test_no_hostile_name_leaves_the_folder_or_is_another_files():
    names = list(hostile_names(HOSTILE))
    template = Template("{stream}")
    assert check_names((one, template.expand(stream=one)) for one in names) > HOSTILE / 2
    check_names((one, Template("{peer}").expand(peer=one)) for one in names)


def test_a_stream_has_at_most_16_components():
    path = encode_path("/".join("abcdefghijklmnopqrstuvwxyz"))
    assert path.count("/") == 15
    assert path.endswith("/p%2Fq%2Fr%2Fs%2Ft%2Fu%2Fv%2Fw%2Fx%2Fy%2Fz")


@pytest.mark.parametrize(
    ("text", "base", "path"),
    [
        ("/var/lib/sink/all", "/var/lib/sink", "all"),
        ("all", ".", "all"),
        ("/all", "/", "all"),
        ("../x/all", "../x", "all"),
        ("x/{{y}}/{{z}}", "x/{y}", "{z}"),
        ("/{date}", "/", "2026-01-31"),
        ("{date}/all", ".", "2026-01-31/all"),
        ("/v/{date}//./x/{peer}.log", "/v", "2026-01-31/x/%3A%3A1.log"),
        ("v/w-{stream}.rec", "v", "w-a/b/%2E%2E.rec"),
        ("v/{connection}_{seq}", "v", "7_000012"),
        (".{peer}", ".", ".%3A%3A1"),
    ],
)
def test_a_template_has_a_folder_and_paths_beneath_it(text, base, path):
    template = Template(text)
    assert str(template.base) == base
    assert path == template.expand(
        date="2026-01-31", peer="::1", connection="7", stream="a/b/..", seq=12
    )


@pytest.mark.parametrize(
    ("text", "depth"),
    [("/a/b", 0), ("/a/{date}", 0), ("/a/{date}/./x/{peer}", 2), ("{date}/{stream}", 16)],
)
def test_it_is_known_how_deep_files_may_be(text, depth):
    template = Template(text)
    assert template.depth == depth
    assert template.expand(stream="/" * 99, date="d", peer="p").count("/") == depth


def test_the_placeholders_of_a_template_are_known():
    assert Template("/x/{date}/{peer}-{seq}.{{stream}}").fields == {"date", "peer", "seq"}
    assert Template("/x/y").fields == set()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x/{stram}", "did you mean 'stream'"),
        ("x/{zzz}", "known are {date}, {peer}"),
        ("x/{}", "there is no {}"),
        ("x/{seq:03}", "there is no {seq:03}"),
        ("x/{date", "a lone {"),
        ("x/date}", "a lone }"),
        ("x/{date/y}", "a lone {"),
        ("x/{{date}", "a lone }"),
        ("x/{date}/../y", "no .. can follow"),
        ("x/{date}/", "names no file"),
        ("x/..", "names no file"),
        ("", "an empty path names no file"),
        ("x/{peer}~000001", "no ~"),
        ("x/all~", "no ~"),
        ("x/a\0", "no NUL"),
        ("x/" + "a" * 231, "at most 230"),
        ("{seq}/x", "the name of the file, not of a folder"),
        ("{seq}-{seq}", "stands once"),
        ("{seq}-{stream}", "stands behind {stream}"),
        ("{peer}{seq}", "needs a point or hyphen"),
        ("x-{seq}0", "needs a point or hyphen"),
        ("x-{seq}.gz", "the sink itself adds"),
    ],
)
def test_a_template_that_names_no_file_is_refused_with_a_cure(text, why):
    with pytest.raises(ValueError, match="^.*" + why.replace("{", r"\{").replace("..", r"\.\.")):
        Template(text)


def test_a_component_of_several_values_is_short_enough_for_the_sinks_own_files():
    template = Template("{peer}{stream}")
    one = template.expand(peer="p" * 150, stream="s" * 150)
    assert len(one) == 230
    assert one != template.expand(peer="p" * 150, stream="s" * 149 + "t")


def test_the_number_is_found_again_in_a_name_that_is_cut():
    template = Template("{peer}.{stream}.{seq}.log")
    values: dict[str, Any] = {"peer": "p" * 150, "stream": "s" * 150}
    one = template.expand(**values, seq=7)
    assert (len(one), one[-7:]) == (230, "-000007")
    assert one == numbered(template.expand(**values), 7)
    assert template.expand(**values, seq=8)[:-7] == one[:-7]
    assert template.expand(peer="p" * 150, stream="s" * 149 + "t", seq=7)[:-7] != one[:-7]


def test_the_sinks_own_files_are_known_by_their_tilde():
    assert is_own_name("a/b~000001")
    assert is_own_name("b~journal")
    assert not is_own_name("a~b/c")


def test_no_connection_has_the_name_of_another_not_even_after_a_restart():
    names = ConnectionNames(1_800_000_000.25)
    assert [names.next(), names.next()] == [
        "20270115T080000.250000-1",
        "20270115T080000.250000-2",
    ]
    assert encode_component(names.next()) == "20270115T080000.250000-3"
    assert ConnectionNames().next() != ConnectionNames().next()


def test_a_hostile_name_is_a_file_in_the_folder(tmp_path):
    template = Template(f"{tmp_path}/in/{{peer}}")
    names = sorted(set(hostile_names(300)))
    template.base.mkdir()
    for name in names:
        (template.base / template.expand(peer=name)).touch()
    assert len(os.listdir(template.base)) == len(names)
    assert os.listdir(tmp_path) == ["in"]
