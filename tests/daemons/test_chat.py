"""Chat by lines, between people with nc and telnet, and among people who misbehave."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from socketsuite.testing import Daemon, read_all, read_line
from tests.daemons.conftest import Start
from tests.daemons.crowd import Stopwatch
from tests.support.outside import MEGABYTE, SECONDS, at_work, memory, reset
from tests.support.peers import program

BANNER = "You are in"


@pytest.fixture
def chat(serve: Start) -> Daemon:
    """A chat that greets: whoever has read the greeting is in the room."""
    return serve("socketsuite-chat", "--banner", BANNER)


def entered(member: socket.socket) -> socket.socket:
    """Return *member* once it is in the room."""
    assert read_line(member) == f"{BANNER}\n".encode()
    return member


def member(chat: Daemon) -> socket.socket:
    return entered(chat.connect())


@contextlib.contextmanager
def person(chat: Daemon, *command: str) -> Iterator[socket.socket]:
    """Somebody at a terminal, in the room."""
    with at_work(*command, "127.0.0.1", str(chat.port())) as terminal:
        yield entered(terminal)


def say(speaker: socket.socket, text: bytes, *listeners: socket.socket) -> None:
    """Let *speaker* say one line, and check that it is the next thing every listener hears."""
    speaker.sendall(text + b"\n")
    for listener in listeners:
        assert read_line(listener) == b"-> " + text + b"\n"


def test_two_people_with_nc_talk_and_never_hear_themselves(chat: Daemon) -> None:
    nc = program("nc.openbsd")
    with person(chat, nc) as anna, person(chat, nc) as boris:
        # The next thing that each hears is the other's: nothing of its own came between.
        say(anna, "Привет, Борис".encode(), boris)
        say(boris, "Привет, Анна".encode(), anna)
        say(anna, b"and again", boris)
        say(boris, b"good bye", anna)


def test_a_person_with_telnet_and_one_with_ncat_talk(chat: Daemon) -> None:
    telnet, ncat = program("telnet"), program("ncat")
    with (
        at_work(telnet, "127.0.0.1", str(chat.port())) as anna,
        person(chat, ncat) as boris,
    ):
        while not read_line(anna).startswith(b"Escape character"):
            pass
        entered(anna)
        say(anna, b"by telnet", boris)
        boris.sendall(b"by ncat\n")
        assert read_line(anna).replace(b"\r", b"") == b"-> by ncat\n"


def test_halves_of_lines_of_two_people_never_mix(serve: Start) -> None:
    chat = serve("socketsuite-chat", "--banner", BANNER, "--log-data", "sizes")
    with member(chat) as anna, member(chat) as boris, member(chat) as listener:
        for writer, half in ((anna, b"Ann"), (boris, b"Bor"), (anna, b"a s"), (boris, b"is s")):
            start = len(chat.lines)
            writer.sendall(half)
            peer = "{}:{}".format(*writer.getsockname())
            chat.wait_for_line(rf"received .*peer={peer} bytes={len(half)} ", start)
        boris.sendall(b"peaks\n")
        assert read_line(listener) == b"-> Boris speaks\n"
        anna.sendall(b"peaks\n")
        assert read_line(listener) == b"-> Anna speaks\n"


def test_lf_and_crlf_end_a_line_and_an_empty_one_is_a_line(chat: Daemon) -> None:
    with member(chat) as speaker, member(chat) as listener:
        speaker.sendall(b"one\r\n\r\ntwo\n\nthree\rfour\n")
        heard = [read_line(listener) for _ in range(5)]
        assert heard == [b"-> one\n", b"-> \n", b"-> two\n", b"-> \n", b"-> three^Mfour\n"]


def test_a_line_left_without_its_end_is_dropped(chat: Daemon) -> None:
    with member(chat) as leaver, member(chat) as speaker, member(chat) as listener:
        leaver.sendall(b"whole\nhal")
        assert read_line(listener) == b"-> whole\n"
        assert read_line(speaker) == b"-> whole\n"
        leaver.shutdown(socket.SHUT_WR)
        assert read_all(leaver) == b""
        say(speaker, b"next", listener)


def test_an_overlong_line_costs_its_speaker_the_connection_and_nobody_hears_it(
    chat: Daemon,
) -> None:
    longest = b"x" * 8192
    with member(chat) as speaker, member(chat) as other, member(chat) as listener:
        say(speaker, longest, other, listener)
        # Much of it is still unread when the answer comes, which must arrive all the same.
        speaker.sendall(longest * 100 + b"\n")
        assert read_all(speaker) == b"line too long: the limit is 8192 bytes\n"
        say(other, b"go on", listener)


def test_a_member_who_does_not_read_is_dropped_and_the_others_go_on(serve: Start) -> None:
    chat = serve("socketsuite-chat", "--banner", BANNER, "--send-queue", "64K")
    before = memory(chat)
    line = b"x" * 8000
    stalled = socket.socket()
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stalled.settimeout(SECONDS)
    stalled.connect(("127.0.0.1", chat.port()))
    with stalled, member(chat) as speaker, member(chat) as listener:
        entered(stalled)
        with listener.makefile("rb") as hears:
            # 24 MB, far more than the kernel holds for the one who does not read.
            for _ in range(3000):
                speaker.sendall(line + b"\n")
                assert hears.readline() == b"-> " + line + b"\n"
        peer = "{}:{}".format(*stalled.getsockname())
        chat.wait_for_line(rf"closed transport=tcp peer={peer} .*reason=send_queue_full")
        say(speaker, b"still here", listener)
    assert memory(chat, "VmHWM") - before < 24 * MEGABYTE


def test_members_who_vanish_in_the_middle_of_a_line_disturb_nobody(chat: Daemon) -> None:
    with member(chat) as speaker, member(chat) as listener:
        for number in range(20):
            leaver = member(chat)
            leaver.sendall(b"I have only begun")
            reset(leaver)
            say(speaker, f"number {number}".encode(), listener)
    assert chat.stop() == 0
    assert "Traceback" not in chat.log


def test_an_nc_that_is_killed_in_the_middle_of_a_line_disturbs_nobody(serve: Start) -> None:
    chat = serve("socketsuite-chat", "--banner", BANNER, "--log-data", "sizes")
    nc = [program("nc.openbsd"), "127.0.0.1", str(chat.port())]
    with (
        member(chat) as speaker,
        member(chat) as listener,
        subprocess.Popen(nc, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as victim,
    ):
        assert victim.stdin is not None
        victim.stdin.write(b"half a lin")
        victim.stdin.flush()
        chat.wait_for_line("received .*bytes=10 ")
        victim.send_signal(signal.SIGKILL)
        chat.wait_for_line("closed .*bytes_in=10 ")
        say(speaker, b"what was that?", listener)
    assert chat.stop() == 0
    assert "Traceback" not in chat.log


def test_fifty_members_each_hear_everything_in_each_speakers_order(chat: Daemon) -> None:
    members = [member(chat) for _ in range(50)]
    lines = 20
    for number in range(lines):
        for index, speaker in enumerate(members):
            speaker.sendall(f"{index}:{number}\n".encode())
    for index, listener in enumerate(members):
        heard = defaultdict(list)
        with listener.makefile("rb") as hears:
            for _ in range(lines * (len(members) - 1)):
                who, what = hears.readline().removeprefix(b"-> ").split(b":")
                heard[int(who)].append(int(what))
        expected = {i: list(range(lines)) for i in range(len(members)) if i != index}
        assert heard == expected
        listener.close()


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (b"\x1b[2J\x1b]0;owned\x07", b"^[[2J^[]0;owned^G"),
        (b"back\x08\x7fspace", b"back^H^?space"),
        (b"\xc2\x9b31m", b"\\x9b31m"),
        ("evil\u202etxt.exe".encode(), b"evil\\u202etxt.exe"),
        (b"\xff\xfe", "\ufffd\ufffd".encode()),
        ("naïve\tžluťoučký 🐎".encode(), "naïve\tžluťoučký 🐎".encode()),
    ],
)
def test_nobody_commands_the_terminal_of_another(chat: Daemon, said: bytes, heard: bytes) -> None:
    with member(chat) as speaker, member(chat) as listener:
        speaker.sendall(said + b"\n")
        assert read_line(listener) == b"-> " + heard + b"\n"


def test_a_person_on_the_unix_socket_talks_to_one_on_ipv6(serve: Start, tmp_path: object) -> None:
    path = f"{tmp_path}/chat"
    chat = serve("socketsuite-chat", "--banner", BANNER, "--unix", path, "--port", "0")
    with (
        at_work(program("nc.openbsd"), "-U", path) as anna,
        at_work(program("nc.openbsd"), "::1", str(chat.port(host="::1"))) as boris,
    ):
        entered(anna)
        entered(boris)
        say(anna, b"from the socket file", boris)
        say(boris, b"from the network", anna)


def test_a_line_is_heard_at_once(chat: Daemon) -> None:
    """Nagle's algorithm would hold each line back for the 40 ms of a delayed ACK."""
    with member(chat) as speaker, member(chat) as listener:
        watch = Stopwatch(chat)
        for number in range(100):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
            say(speaker, str(number).encode(), listener)
        assert watch.seconds() < 100 * 0.02


def test_a_message_of_the_day_that_cannot_be_read_is_one_line(
    launch: Start, tmp_path: Path
) -> None:
    missing = tmp_path / "motd"
    why = f"socketsuite-chat: cannot use {missing}: no such file or directory\n"
    for more in ((), ("--check-config",)):
        daemon = launch("socketsuite-chat", "--port", "0", "--motd", str(missing), *more)
        assert (daemon.wait(), daemon.errors) == (1, why)
