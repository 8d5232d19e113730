"""Discard, daytime, quote of the day, chargen and time, as in their RFCs."""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from socketsuite.testing import Daemon, read_all, read_exactly
from tests.daemons.conftest import Start
from tests.support.outside import MEGABYTE, SECONDS, at_work, memory, piped
from tests.support.peers import program

HOSTS = ["127.0.0.1", "::1"]
LINE = 74
ROTATION = 95
ALPHABET = bytes(range(32, 127))
CHARACTERS = b"".join((ALPHABET * 2)[i : i + 72] + b"\r\n" for i in range(ROTATION))

Small = Callable[[str], Daemon]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    """Start each service once, when a test first asks for it."""
    started: dict[str, Daemon] = {}

    def get(name: str) -> Daemon:
        if name not in started:
            folder = tmp_path_factory.mktemp(name)
            started[name] = Daemon(folder, f"socketsuite-{name}", "--port", "0")
        return started[name].wait_until_ready()

    yield get
    logs = []
    for daemon in started.values():
        daemon.stop()
        logs.append(daemon.log)
    assert "Traceback" not in "".join(logs)


def is_daytime(answer: bytes) -> bool:
    """Whether *answer* is a line that tells the time of day, which it is."""
    match = re.fullmatch(rb"(\d\d [A-Z]{3} \d{4} \d\d:\d\d:\d\d) \S+\r\n", answer)
    assert match is not None, answer
    told = datetime.strptime(match[1].decode(), "%d %b %Y %H:%M:%S").timestamp()
    return abs(told - time.time()) <= 2


def is_time(answer: bytes) -> bool:
    """Whether *answer* is the number of seconds since 1900, give or take two."""
    (seconds,) = struct.unpack(">I", answer)
    since_1900 = datetime.now(UTC) - datetime(1900, 1, 1, tzinfo=UTC)
    return bool(abs(seconds - since_1900.total_seconds()) <= 2)


def is_quote(answer: bytes) -> bool:
    """Whether *answer* is a short text that ends its line."""
    return 2 < len(answer) < 512 and answer.endswith(b"\r\n") and answer.decode().strip() != ""


ANSWERS = pytest.mark.parametrize(
    ("name", "is_right"), [("daytime", is_daytime), ("time", is_time), ("qotd", is_quote)]
)


def ask(daemon: Daemon, host: str, question: bytes) -> socket.socket:
    """Send one datagram, and return the socket for the answer."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    caller = socket.socket(family, socket.SOCK_DGRAM)
    caller.settimeout(SECONDS)
    caller.connect((host, daemon.port("udp", host)))
    caller.send(question)
    return caller


@ANSWERS
@pytest.mark.parametrize(
    "client", ["nc.openbsd -N 127.0.0.1 {}", "nc.openbsd -N ::1 {}", "socat -u TCP:127.0.0.1:{} -"]
)
def test_whoever_connects_gets_the_answer_and_the_end(
    small: Small, name: str, is_right: Callable[[bytes], bool], client: str
) -> None:
    command, *arguments = client.format(small(name).port()).split()
    assert is_right(piped(b"", program(command), *arguments))


def test_nc_ends_by_itself_although_its_standard_input_stays_open(small: Small) -> None:
    with at_work(program("nc.openbsd"), "127.0.0.1", str(small("qotd").port())) as terminal:
        assert is_quote(read_all(terminal))


@ANSWERS
def test_whoever_says_something_first_gets_the_whole_answer_and_no_reset(
    small: Small, name: str, is_right: Callable[[bytes], bool]
) -> None:
    daemon = small(name)
    for _ in range(20):
        assert is_right(piped(b"x", program("nc.openbsd"), "-N", "127.0.0.1", str(daemon.port())))
    with daemon.connect() as caller:
        caller.sendall(b"x" * 100_000)
        assert is_right(read_all(caller))


@ANSWERS
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("question", [b"", b"what?"])
def test_a_datagram_even_an_empty_one_is_answered_with_one(
    small: Small, name: str, is_right: Callable[[bytes], bool], host: str, question: bytes
) -> None:
    with ask(small(name), host, question) as caller:
        assert is_right(caller.recv(1 << 16))


def test_daytime_can_be_universal(serve: Start) -> None:
    daytime = serve("socketsuite-daytime", "--utc", env={"TZ": "Asia/Tokyo"})
    with daytime.connect() as caller:
        assert re.search(rb" UTC\r\n$", read_all(caller))


def test_quotes_come_from_a_file(serve: Start, tmp_path: Path) -> None:
    quotes = tmp_path / "quotes"
    quotes.write_text("Быть или не быть\n%\n" + "x" * 600 + "\n")
    qotd = serve("socketsuite-qotd", "--quotes", str(quotes))
    with qotd.connect() as caller:
        assert read_all(caller).decode() == "Быть или не быть\r\n"


def test_discard_takes_everything_and_answers_nothing(small: Small) -> None:
    discard = small("discard")
    command = (program("nc.openbsd"), "-N", "127.0.0.1", str(discard.port()))
    assert piped(b"0123456789abcdef" * (MEGABYTE // 16), *command) == b""
    discard.wait_for_line(f"closed transport=tcp .* bytes_in={MEGABYTE} bytes_out=0 ")


def test_discard_answers_no_datagram(serve: Start) -> None:
    discard = serve("socketsuite-discard", "--log-data", "sizes")
    with ask(discard, "127.0.0.1", b"one") as caller:
        caller.send(b"last")
        # Datagrams are taken in their order: the first has been dealt with by now.
        discard.wait_for_line("received transport=udp .*bytes=4$")
        caller.setblocking(False)
        with pytest.raises(BlockingIOError):
            caller.recv(100)


def test_chargen_lines_rotate_over_all_characters(small: Small) -> None:
    with at_work(program("nc.openbsd"), "127.0.0.1", str(small("chargen").port())) as terminal:
        assert read_exactly(terminal, LINE) == (
            rb""" !"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefg"""
            b"\r\n"
        )
        assert read_exactly(terminal, LINE * ROTATION * 3)[-LINE:] == CHARACTERS[:LINE]


def test_a_megabyte_of_chargen_has_no_seam(small: Small) -> None:
    with small("chargen").connect() as caller:
        text = b"".join(read_exactly(caller, len(CHARACTERS)) for _ in range(150))
    assert text == CHARACTERS * 150


def test_chargen_ends_when_the_caller_closes(serve: Start) -> None:
    chargen = serve("socketsuite-chargen")
    nc = program("nc.openbsd")
    command = [nc, "127.0.0.1", str(chargen.port())]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as caller:
        assert caller.stdout is not None
        assert len(caller.stdout.read(MEGABYTE)) == MEGABYTE
        caller.kill()
    chargen.wait_for_line("closed transport=tcp")
    # A caller who only closes its half has said that it wants no more.
    assert CHARACTERS.startswith(piped(b"x", nc, "-N", "127.0.0.1", str(chargen.port()))[:LINE])


def test_chargen_holds_nothing_in_memory_for_a_caller_who_does_not_read(serve: Start) -> None:
    chargen = serve("socketsuite-chargen")
    before = memory(chargen)
    with socket.socket() as stalled, chargen.connect() as reader:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", chargen.port()))
        peer = "{}:{}".format(*stalled.getsockname())
        count = 0
        while count < 50 * MEGABYTE:
            count += len(reader.recv(1 << 16))
    closed = chargen.wait_for_line(f"closed transport=tcp peer={peer} .*bytes_out=(\\d+) ")
    assert int(closed[1]) < 16 * MEGABYTE
    assert memory(chargen, "VmHWM") - before < 24 * MEGABYTE


def test_chargen_answers_a_datagram_with_at_most_512_characters(small: Small) -> None:
    lengths = set()
    for _ in range(50):
        with ask(small("chargen"), "127.0.0.1", b"") as caller:
            answer = caller.recv(1 << 16)
        assert CHARACTERS.startswith(answer)
        lengths.add(len(answer))
    assert max(lengths) <= 512
    assert len(lengths) > 1, "the length is to be random"
