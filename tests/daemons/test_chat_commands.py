"""Commands of the chat by lines, with real clients, beside people who say none."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import time
from collections.abc import Iterator

from socketsuite.testing import read_all, read_line
from tests.daemons.conftest import Start
from tests.daemons.crowd import Stopwatch
from tests.support.outside import MEGABYTE, SECONDS, at_work, memory
from tests.support.peers import program
from tests.support.ports import free_port


def sees(person: socket.socket, *lines: str) -> None:
    """Check that *lines* are the next that *person* is shown."""
    assert [read_line(person).replace(b"\r", b"").decode() for _ in lines] == [
        f"{line}\n" for line in lines
    ]


def type_in(person: socket.socket, *lines: str) -> None:
    person.sendall("".join(f"{line}\n" for line in lines).encode())


def test_people_with_nc_ncat_and_telnet_meet_and_who_says_no_command_sees_lines_alone(
    serve: Start,
) -> None:
    chat = serve("socketsuite-chat", "--banner", "You are in")
    to = ("127.0.0.1", str(chat.port()))
    with (
        at_work(program("telnet"), *to) as ann,
        at_work(program("ncat"), *to) as bob,
        at_work(program("nc.openbsd"), *to) as plain,
    ):
        while read_line(ann).strip() != b"You are in":
            pass
        sees(bob, "You are in")
        sees(plain, "You are in")
        type_in(ann, "/nick ann")
        assert re.fullmatch(rb"\* guest\d is now ann\r?\n", read_line(ann))
        type_in(bob, "/nick bob")
        for who in (ann, bob):
            assert re.fullmatch(rb"\* guest\d is now bob\r?\n", read_line(who))
        type_in(bob, "/msg ann psst")
        sees(ann, "-> (bob) psst")
        type_in(ann, "/join den", "/topic tea", "/invite bob")
        sees(
            ann, "* ann joined #den", "* ann set the topic of #den: tea", "* bob is invited to #den"
        )
        sees(bob, "* ann invites you: /join #den")
        type_in(bob, "/join den", "/me sits down")
        sees(bob, "* bob joined #den", "* the topic of #den: tea")
        sees(ann, "* bob joined #den", "-> #den * bob sits down")
        type_in(ann, "/kick bob no tea left", "/room lobby", "hello, all \x1b[2J")
        for who in (ann, bob):
            sees(who, "* bob was kicked from #den by ann: no tea left")
        sees(ann, "* you speak in #lobby")
        # All of that, and this is the first that the third one sees.
        sees(plain, "-> <ann> hello, all ^[[2J")
        type_in(plain, "hello, ann")
        assert re.fullmatch(rb"-> #lobby <guest\d> hello, ann\r?\n", read_line(ann))
        sees(bob, "-> #lobby <ann> hello, all ^[[2J")
        type_in(bob, "/login bob", "secret", "/quit good night")
        assert re.fullmatch(rb"-> #lobby <guest\d> hello, ann\n", read_line(bob))
        sees(bob, "* password of bob?", "* bob: there are no accounts here")
        sees(ann, "* bob has gone: good night")
    assert chat.stop() == 0
    assert "Traceback" not in chat.log


def test_who_is_too_fast_is_delayed_and_then_closed_and_hears_why(serve: Start) -> None:
    chat = serve(
        *("socketsuite-chat", "--banner", "You are in", "--flood-rate", "10", "--flood-burst", "3")
    )
    with chat.connect() as listener, chat.connect() as fast, chat.connect() as faster:
        for one in (listener, fast, faster):
            sees(one, "You are in")
        started = time.monotonic()
        type_in(fast, *"abcdef")
        sees(listener, "-> a")
        # These are not read before the last of those was said: none of them is too many.
        type_in(fast, *"ghi")
        sees(listener, *(f"-> {letter}" for letter in "bcdef"))
        assert time.monotonic() - started >= 0.3
        sees(listener, *(f"-> {letter}" for letter in "ghi"))
        # More is still unread when the answer comes, which must arrive all the same.
        faster.sendall(b"x\n" * 100_000)
        *_, told = read_all(faster).splitlines()
        assert told == b"* too fast: you are closed, and the rest was dropped"
        sees(listener, *["-> x"] * 3)
        type_in(fast, "still here")
        sees(listener, "-> still here")


def test_who_asks_for_much_and_does_not_read_costs_the_others_nothing(serve: Start) -> None:
    chat = serve("socketsuite-chat", "--banner", "You are in", "--history-lines", "2000")
    with chat.connect() as speaker, chat.connect() as listener, socket.socket() as greedy:
        for one in (speaker, listener):
            sees(one, "You are in")
        for _ in range(10):
            speaker.sendall(b"x" * 99 + b"\n" + (b"x" * 99 + b"\n") * 99)
            for _ in range(100):
                read_line(listener)
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.settimeout(SECONDS)
        greedy.connect(("127.0.0.1", chat.port()))
        before = memory(chat)
        greedy.sendall(b"/history 2000\n" * 4000)
        for number in range(100):
            watch = Stopwatch(chat)
            type_in(speaker, str(number))
            sees(listener, f"-> {number}")
            assert watch.seconds() < 0.5
        peer = "{}:{}".format(*greedy.getsockname())
        chat.wait_for_line(rf"closed transport=tcp peer={peer} .*reason=send_queue_full")
    assert memory(chat, "VmHWM") - before < 16 * MEGABYTE
    assert chat.stop() == 0
    assert "Traceback" not in chat.log


@contextlib.contextmanager
def ncat_chat() -> Iterator[int]:
    """Run ncat itself as a chat; its port is one that was free."""
    port = free_port()
    command = [program("ncat"), "-v", "--listen", "--chat", "127.0.0.1", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        while b"Listening" not in process.stderr.readline():
            pass
        try:
            yield port
        finally:
            process.kill()


def conversation(port: int) -> list[list[bytes]]:
    """Have two people talk by *port*, and return what each has seen, its users numbered anew."""
    with (
        socket.create_connection(("127.0.0.1", port), SECONDS) as ann,
        contextlib.ExitStack() as later,
    ):
        seen: dict[socket.socket, list[bytes]] = {ann: [read_line(ann), read_line(ann)]}
        bob = later.enter_context(socket.create_connection(("127.0.0.1", port), SECONDS))
        seen[bob] = [read_line(bob), read_line(bob)]
        seen[ann].append(read_line(ann))
        for speaker, listener in ((ann, bob), (bob, ann)):
            speaker.sendall(b"hello, \t you\n")
            line = read_line(listener)
            # ncat shows to everybody who is there already what it says to a newcomer.
            seen[listener].append(read_line(listener) if b"already" in line else line)
        bob.close()
        seen[ann].append(read_line(ann))
        names: dict[bytes, bytes] = {}
        return [
            [
                re.sub(rb"user\d+", lambda m: names.setdefault(m[0], b"%d" % len(names)), one)
                for one in s
            ]
            for s in seen.values()
        ]


def test_ncats_chat_is_spoken_as_ncat_does(serve: Start) -> None:
    chat = serve("socketsuite-chat", "--ncat-chat")
    with ncat_chat() as port:
        assert conversation(chat.port()) == conversation(port)
