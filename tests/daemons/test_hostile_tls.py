"""Bytes that TLS does not allow, or allows and nobody sends: they cost their own connection.

A witness has been there from the beginning, and is served in between.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from socketsuite.testing import Daemon, read_all
from tests.daemons.crowd import descriptors
from tests.daemons.handshakes import Caller
from tests.support.authorities import authority, certify, pem
from tests.support.outside import SECONDS, reset
from tests.support.peers import program

ROOT = authority("Our Root")
TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
both_versions = pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["TLS 1.2", "TLS 1.3"])

# The types of records.
ALERT, HANDSHAKE, DATA = 21, 22, 23


def record(kind: int, content: bytes, length: int | None = None) -> bytes:
    """Return a record that is not encrypted; it may lie about its length."""
    said = len(content) if length is None else length
    return bytes([kind, 3, 3]) + said.to_bytes(2, "big") + content


@dataclass
class Scene:
    """An echo, and a witness who is connected to it.

    :ivar quiet: how many descriptors the daemon has open for the witness alone.
    :ivar before: how many lines it had logged before the test: among the callers of all tests
        there are so many that some have the port of an earlier one.
    """

    daemon: Daemon
    folder: Path
    witness: Caller
    quiet: int = 0
    before: int = 0

    def caller(self, version: ssl.TLSVersion = TLS_1_3) -> Caller:
        context = ssl.create_default_context(cafile=self.folder / "root.pem")
        context.minimum_version = context.maximum_version = version
        return Caller(self.daemon, context)

    def echoes(self, caller: Caller, text: bytes = b"hello") -> None:
        caller.say(text)
        assert caller.read(len(text)) == text

    def look(self) -> None:
        """Return once the daemon has dealt with everything that has been sent to it."""
        self.echoes(self.witness, b"still here")

    def goes_on_without(self, peer: str) -> str:
        """See that *peer* left two lines in the log and nothing else; return the reason."""
        closed = self.daemon.wait_for_line(f"closed transport=tls peer={peer} ", self.before).string
        self.look()
        lines = self.daemon.lines[self.before :]
        connected, last = [line for line in lines if f" peer={peer} " in line]
        assert "connected" in connected
        assert last == closed
        reason = re.search(r' reason=([a-z_]+)(?: detail=(?:\w+|"[ -~]{5,160}"))?$', closed)
        assert reason is not None
        assert descriptors(self.daemon) == self.quiet
        return reason[1]


@pytest.fixture(
    scope="module",
    # One worker for each transport, so that no daemon is started twice.
    params=[
        pytest.param(transport, marks=pytest.mark.xdist_group(f"scene on {transport}"))
        for transport in ("burst", "twisted")
    ],
)
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scene")
    own = certify("localhost", ROOT).write(folder / "own.pem")
    (folder / "root.pem").write_bytes(pem(ROOT.certificate))
    arguments = ("--port", "0", "--no-udp", "--tls-cert", str(own), "--transport", request.param)
    daemon = Daemon(folder, "socketsuite-echo", *arguments)
    try:
        made = Scene(daemon.wait_until_ready(), folder, None)  # type: ignore[arg-type]
        with made.caller() as made.witness:
            made.witness.shake_hands()
            made.look()
            made.quiet = descriptors(made.daemon)
            yield made
        assert daemon.stop() == 0
        assert daemon.errors == ""
        strange = [line for line in daemon.lines if not re.search(EVERYDAY, line)]
        assert strange == []
    finally:
        daemon.kill()


@pytest.fixture(autouse=True)
def before(scene: Scene) -> None:
    scene.daemon.has_line("")  # takes what is there
    scene.before = len(scene.daemon.lines)


# A second without the processor is nobody's fault; more is.
EVERYDAY = (
    " (connected|closed) transport=tls peer=| listening |starting up| only this machine "
    "| ready, | SIGTERM: | draining | stopped aborted=0"
    r"| a callback has blocked the reactor for [12]\.\d s:"
)


# ── instead of a handshake ──────────────────────────────────────────────────────────

INSTEAD_OF_A_HANDSHAKE = {
    "an HTTP request": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "plain text": b"hello, is this the echo?\n",
    "the header of a PROXY": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
    "SSL 2's hello": bytes([0x80, 46, 1, 0, 2, 0, 21, 0, 0, 0, 16]) + b"x" * 40,
    "zeros": bytes(1000),
    "an alert": record(ALERT, b"\2\0"),
    "a goodbye": record(ALERT, b"\1\0"),
    "data": record(DATA, b"hello"),
    "a record of no known type": record(99, b"hello"),
    "an oversized record": record(HANDSHAKE, b"\1" + b"x" * 70_000, 0xFFFF),
    "empty records": record(HANDSHAKE, b"") * 100,
    "a message of no known type": record(HANDSHAKE, b"\x63\0\0\5hello"),
    "a hello of 16 MB to come": record(HANDSHAKE, b"\1\xff\xff\xff" + b"x" * 100),
    "a hello without content": record(HANDSHAKE, b"\1\0\0\0"),
}


@pytest.mark.parametrize("what", INSTEAD_OF_A_HANDSHAKE)
def test_what_is_no_handshake_gets_an_alert_at_most(scene: Scene, what: str) -> None:
    with scene.daemon.connect(port=scene.daemon.port("tls")) as caller:
        peer = "{}:{}".format(*caller.getsockname())
        answer = b""
        with contextlib.suppress(ConnectionError):
            caller.sendall(INSTEAD_OF_A_HANDSHAKE[what])
            answer = read_all(caller)
        assert re.fullmatch(rb"(\x15\x03.\0\x02..)?", answer, re.DOTALL)
        assert scene.goes_on_without(peer) == "handshake_failed"


# ── in the middle of one ────────────────────────────────────────────────────────────


def test_a_hello_may_come_in_any_two_pieces(scene: Scene) -> None:
    with ExitStack() as open_ones:
        halfway: list[tuple[Caller, bytes]] = []
        while True:
            caller = open_ones.enter_context(scene.caller())
            hello, cut = caller.flight(), len(halfway) + 1
            if cut == len(hello):
                break
            caller.socket.sendall(hello[:cut])
            halfway.append((caller, hello[cut:]))
        scene.look()
        for caller, rest in halfway:
            caller.socket.sendall(rest)
        for caller, _ in halfway:
            caller.hear()
            scene.echoes(caller.shake_hands())


@both_versions
def test_a_handshake_may_come_in_single_bytes(scene: Scene, version: ssl.TLSVersion) -> None:
    with scene.caller(version) as caller:
        while not caller.secured:
            for byte in caller.flight():
                caller.socket.sendall(bytes([byte]))
                scene.look()
            if not caller.secured:
                caller.hear()
        scene.echoes(caller)


def vanish(connection: socket.socket) -> None:
    """End our sending, and wait for the end of the other side's."""
    connection.shutdown(socket.SHUT_WR)
    with contextlib.suppress(ConnectionError):
        read_all(connection)


HOW_FAR = ["not a byte", "half a hello", "a hello", "half a last flight", "a last flight"]


@both_versions
@pytest.mark.parametrize("how_far", HOW_FAR)
@pytest.mark.parametrize("leave", [reset, vanish], ids=["RST", "FIN"])
def test_whoever_leaves_a_handshake_disturbs_nobody(
    scene: Scene, leave: Callable[[socket.socket], None], how_far: str, version: ssl.TLSVersion
) -> None:
    with scene.caller(version) as caller:
        hello = caller.flight()
        if how_far == "half a hello":
            hello = hello[: len(hello) // 2]
        if how_far != "not a byte":
            caller.socket.sendall(hello)
        if "last flight" in how_far:
            while not (last := caller.flight()):
                caller.hear()
            caller.socket.sendall(last[: len(last) // 2] if "half" in how_far else last)
        leave(caller.socket)
        reason = scene.goes_on_without(caller.peer)
    assert reason in ("handshake_failed", "closed_in_mid_stream", "lost", "closed_by_peer")


@both_versions
def test_data_in_the_middle_of_a_handshake_ends_it(scene: Scene, version: ssl.TLSVersion) -> None:
    with scene.caller(version) as caller:
        caller.socket.sendall(caller.flight() + record(DATA, b"hello"))
        with contextlib.suppress(ConnectionError):
            assert b"hello" not in read_all(caller.socket)
        assert scene.goes_on_without(caller.peer) == "handshake_failed"


# ── after it ────────────────────────────────────────────────────────────────────────

AFTER_THE_HANDSHAKE = {
    "plain text": b"hello, is this the echo?\n" * 10,
    "an oversized record": record(DATA, b"x" * 70_000, 0xFFFF),
    "a forged record": record(DATA, b"x" * 48),
    "empty records": record(DATA, b"") * 100,
    "a goodbye of nobody": record(ALERT, b"\1\0"),
    "changes of cipher": record(20, b"\1") * 100,
    "another hello": record(HANDSHAKE, b"\1\0\0\0"),
}


@both_versions
@pytest.mark.parametrize("what", AFTER_THE_HANDSHAKE)
def test_what_is_not_sealed_ends_its_connection(
    scene: Scene, what: str, version: ssl.TLSVersion
) -> None:
    with scene.caller(version) as caller:
        scene.echoes(caller.shake_hands())
        with contextlib.suppress(ConnectionError):
            caller.socket.sendall(AFTER_THE_HANDSHAKE[what])
        ending = caller.to_the_end()
        assert ending.served == b""
        assert ending.how != "goodbye"
        reason = scene.goes_on_without(caller.peer)
    assert not re.match("closed_by|aborted|error_in_protocol", reason)


@both_versions
@pytest.mark.parametrize("what", ["a goodbye", "a goodbye and FIN", "a goodbye and more"])
def test_a_goodbye_is_answered_with_all_that_was_asked_for_and_a_goodbye(
    scene: Scene, what: str, version: ssl.TLSVersion
) -> None:
    text = b"0123456789" * 10_000
    with scene.caller(version) as caller:
        caller.shake_hands()
        more = record(DATA, b"more") if "more" in what else b""
        caller.socket.sendall(caller.sealed(text) + caller.goodbye() + more)
        if "FIN" in what:
            caller.socket.shutdown(socket.SHUT_WR)
        ending = caller.to_the_end()
        assert (ending.served == text, ending.how) == (True, "goodbye")
        assert scene.goes_on_without(caller.peer) == "closed_by_peer"


@both_versions
def test_a_goodbye_without_a_word_is_answered_with_a_goodbye(
    scene: Scene, version: ssl.TLSVersion
) -> None:
    with scene.caller(version) as caller:
        caller.socket.sendall(caller.shake_hands().goodbye())
        ending = caller.to_the_end()
        assert (ending.served, ending.how) == (b"", "goodbye")
        assert scene.goes_on_without(caller.peer) == "closed_by_peer"


# ── what only OpenSSL's own program can be asked to do ──────────────────────────────


class Terminal:
    """``openssl s_client``, whose lines beginning with some capitals are commands."""

    def __init__(self, scene: Scene, version: str) -> None:
        self._daemon, self._before = scene.daemon, len(scene.daemon.lines)
        self._ours, theirs = socket.socketpair()
        self._ours.settimeout(SECONDS)
        self._shown = b""
        where = f"localhost:{scene.daemon.port('tls')}"
        trust = ("-CAfile", str(scene.folder / "root.pem"), "-verify_return_error")
        command = [program("openssl"), "s_client", "-connect", where, version, "-brief", *trust]
        with theirs:
            ends = theirs.fileno()
            self._process = subprocess.Popen(command, stdin=ends, stdout=ends, stderr=ends)
        self.shows("Verification: OK")

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self._process.kill()
        self._process.wait(SECONDS)
        self._daemon.wait_for_line(" closed transport=tls ", self._before)

    def types(self, line: str) -> None:
        self._ours.sendall(line.encode() + b"\n")

    def shows(self, text: str) -> None:
        """Read until *text* is on the screen."""
        while text.encode() not in self._shown:
            piece = self._ours.recv(1 << 16)
            assert piece, self._shown
            self._shown += piece
        # What came in the same piece behind it may be what is waited for next.
        self._shown = self._shown.partition(text.encode())[2]


@pytest.mark.parametrize("key", ["K", "k"])
def test_a_hundred_new_keys_in_a_row_are_no_reason_to_part(scene: Scene, key: str) -> None:
    with Terminal(scene, "-tls1_3") as terminal:
        for _ in range(100):
            terminal.types(key)
            terminal.shows("KEYUPDATE")
        terminal.types("hello")
        terminal.shows("hello")
        scene.look()


def test_nobody_can_have_the_handshake_anew(scene: Scene) -> None:
    with Terminal(scene, "-tls1_2") as terminal:
        terminal.types("hello")
        terminal.shows("hello")
        terminal.types("R")
        terminal.shows("RENEGOTIATING")
        terminal.shows("no renegotiation")
    scene.look()
