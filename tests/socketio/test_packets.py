"""What strangers may send as packets, and what may be sent to them: no socket matters here."""

from __future__ import annotations

import contextlib
import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socketsuite.socketio import bounded_json
from socketsuite.socketio.bounded_json import deeper_than, dumps, loads
from socketsuite.socketio.engine.packets import (
    Encoded,
    PacketError,
    decode_packet,
    decode_payload,
)
from socketsuite.socketio.engine.packets import PacketType as EnginePacketType
from socketsuite.socketio.options import Options
from socketsuite.socketio.packets import Incomplete, Packet, PacketType, decode, encode

OPTIONS = Options(max_depth=8, max_arguments=4, max_attachments=2, max_attachment_bytes=10)
HOLE = '{"_placeholder":true,"num":%s}'
MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    "text",
    ["", "x", "7", "9a", "٤hello", "²", "b!", "bAAA", "bAA=A", "bé", "B", "-1"],
)
def test_what_is_no_engine_packet_is_refused(text: str) -> None:
    with pytest.raises(PacketError):
        decode_packet(text)


@pytest.mark.parametrize("text", ['4{"a": 1}', "4[1, 2]", "4", "4true", "4123", "4" + "[" * 99_999])
def test_a_message_is_the_text_that_was_sent_whatever_it_looks_like(text: str) -> None:
    assert decode_packet(text) == (EnginePacketType.MESSAGE, text[1:])


@pytest.mark.parametrize("body", [b"", b"\x1e", b"4a\x1e", b"d=4a", b"4\xff", b"4\x1e" * 4 + b"4"])
def test_what_is_no_payload_is_refused(body: bytes) -> None:
    with pytest.raises(PacketError):
        decode_payload(body, 4)


@settings(max_examples=40)
@given(st.lists(st.one_of(st.text(alphabet=st.characters(codec="utf-8")), st.binary()), min_size=1))
def test_a_payload_comes_back_as_it_was_sent(messages: list[str | bytes]) -> None:
    said = [each.replace("\x1e", "") if isinstance(each, str) else each for each in messages]
    packets = decode_payload(Encoded(said).payload, 1000)
    assert [packet.data for packet in packets] == said


@pytest.mark.parametrize(
    "text",
    [
        "abc",
        "7",
        "2",
        "2{}",
        "2[]",
        "2[1]",
        "2[null]",
        '2abc["a"]',
        '2["a"',
        '2["a"]]',
        '2["a",NaN]',
        '2["a",-Infinity]',
        '2["a",1e999]',
        '2["a",' + "9" * 101 + "]",
        '2["connect"]',
        '2["disconnect"]',
        '2["' + "n" * 257 + '"]',
        '2["a",1,2,3,4,5]',
        '2["a",' + "[" * 8 + "]" * 8 + "]",
        '2["a",' + "[" * MEGABYTE,
        '2["a",' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "]",
        '2²["a"]',
        '2٣["a"]',
        "2" + "1" * 16 + '["a"]',
        '21-["a"]',
        "3[1]",
        "31{}",
        '3"x"',
        '4{"message":"x"}',
        "0[1]",
        '0{"a":1',
        "01{}",
        '1/,["a"]',
        "1{}",
        "0/" + "n" * 200,
        "0/a\nb,",
        '5["a"]',
        '51-["a"]',
        f'50-["a",{HOLE % 0}]',
        f'51-["a",{HOLE % 1}]',
        f'51-["a",{HOLE % -1}]',
        f'51-["a",{HOLE % "0.0"}]',
        f'51-["a",{HOLE % "true"}]',
        f'51-["a",{HOLE % "[]"}]',
        f'51-["a",{HOLE % 0},{HOLE % 0}]',
        f'52-["a",{HOLE % 0}]',
        '51-["a",{"_placeholder":1,"num":0}]',
        '51-["a",{"_placeholder":true}]',
        f'53-["a",{HOLE % 0},{HOLE % 1},{HOLE % 2}]',
        f'59999999999-["a",{HOLE % 0}]',
        f"51-[{HOLE % 0}]",
    ],
    ids=lambda text: text[:40],
)
def test_what_is_no_packet_of_a_client_is_refused(text: str) -> None:
    with pytest.raises(PacketError):
        decode(text, OPTIONS)


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ("0", (PacketType.CONNECT, "/", None, None)),
        ("0/a,", (PacketType.CONNECT, "/a", None, None)),
        ("0/a?b=c", (PacketType.CONNECT, "/a", None, None)),
        ('0/a,{"t":1}', (PacketType.CONNECT, "/a", None, {"t": 1})),
        ("1/a,", (PacketType.DISCONNECT, "/a", None, None)),
        ('212["a-b",{"1-":[]}]', (PacketType.EVENT, "/", 12, ["a-b", {"1-": []}])),
        ('2/a-1,7["a"]', (PacketType.EVENT, "/a-1", 7, ["a"])),
        ('2["a","' + "[" * 50 + '"]', (PacketType.EVENT, "/", None, ["a", "[" * 50])),
        ('2["a","\\ud800x\\ud83d\\udc0d"]', (PacketType.EVENT, "/", None, ["a", "\ufffdx🐍"])),
        ('2["a",{"_placeholder":true,"num":0}]', None),
        ("30[]", (PacketType.ACK, "/", 0, [])),
        ('50-["a"]', (PacketType.EVENT, "/", None, ["a"])),
    ],
)
def test_a_packet_of_a_client_is_read(text: str, packet: tuple[object, ...] | None) -> None:
    read = decode(text, OPTIONS)
    assert isinstance(read, Packet)
    assert packet is None or read == packet


def test_attachments_are_put_where_they_belong_and_bounded() -> None:
    packet = decode(f'52-/n,3["a",{{"x":[{HOLE % 1}]}},{HOLE % 0}]', OPTIONS)
    assert isinstance(packet, Incomplete)
    assert packet.add(b"0") is None
    assert packet.add(b"1") == (PacketType.EVENT, "/n", 3, ["a", {"x": [b"1"]}, b"0"])
    packet = decode(f'51-["a",{HOLE % 0}]', OPTIONS)
    assert isinstance(packet, Incomplete)
    with pytest.raises(PacketError):
        packet.add(bytes(11))


@pytest.mark.parametrize(
    "text",
    [
        '2["a","' + '\\"' * (MEGABYTE // 2),
        '2["a",' + "[]," * (MEGABYTE // 3) + "1]",
        "2" + "-" * MEGABYTE,
        '2["' + "\\ud800" * (MEGABYTE // 6) + '"]',
        '2["a",' + "1" * MEGABYTE + "]",
        '2["a",0.' + "1" * MEGABYTE + "]",
        "2/" + "/" * MEGABYTE,
        "2" + "1" * MEGABYTE,
        f'599-["a",{"{"}"a":[' + ",".join([HOLE % 0] * 30_000) + "]}]",
    ],
    ids=lambda text: text[:12],
)
def test_no_megabyte_takes_long(text: str) -> None:
    began = time.process_time()
    with contextlib.suppress(PacketError):
        decode(text, OPTIONS)
    assert time.process_time() - began < 5.0  # quadratic time would be minutes


def test_an_event_is_encoded_once_for_each_transport() -> None:
    encoded = encode(PacketType.EVENT, "/n", ["a", {"b": b"\x01"}, "é"], 7)
    text = '451-/n,7["a",{"b":{"_placeholder":true,"num":0}},"é"]'.encode()
    assert encoded.payload == text + b"\x1ebAQ=="
    assert encoded.frames == bytes((0x81, len(text))) + text + b"\x82\x01\x01"
    assert encoded.payload is encoded.payload
    assert encoded.frames is encoded.frames


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, (b"in a tuple",)])
def test_what_a_client_could_not_read_is_not_sent(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        encode(PacketType.EVENT, "/", ["a", value])


def test_a_strangers_placeholder_is_not_sent_beside_attachments() -> None:
    forged = decode(f'2["a",{HOLE % 7}]', OPTIONS)
    assert isinstance(forged, Packet)
    encode(PacketType.EVENT, "/", forged.data)
    with pytest.raises(ValueError, match="_placeholder"):
        encode(PacketType.EVENT, "/", [*forged.data, b"a picture"])


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@settings(max_examples=40)
@given(json_values)
def test_json_is_read_as_it_was_written(value: object) -> None:
    text = dumps(value)
    text.encode()
    assert json.loads(text) == value
    if "\\ud" not in text:
        assert loads(text) == value


@settings(max_examples=40)
@given(json_values, st.integers(0, 5))
def test_the_depth_of_json_is_what_a_reader_finds(value: object, most: int) -> None:
    def depth(value: object) -> int:
        if isinstance(value, dict):
            return 1 + max(map(depth, value.values()), default=0)
        return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0

    assert deeper_than(dumps(value), most) == (depth(value) > most)


def test_the_codecs_of_others_are_known_to_the_packets_alone() -> None:
    package = Path(bounded_json.__file__).parents[1]
    users = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"^\s*(from|import) (engineio|socketio)\b", path.read_text(), re.M)
    }
    assert users == {"socketio/packets.py", "socketio/engine/packets.py"}
