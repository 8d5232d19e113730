"""``socketsuite udp`` against plain UDP sockets."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.cli.conftest import Client
from tests.cli.contract import read
from tests.cli.servers import TIMEOUT
from tests.support.ports import free_port

Peer = Callable[..., int]


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Start UDP peers that call *answer(socket, datagram, sender)*; return the port."""
    opened: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def begin(answer: Callable[..., object], host: str = "127.0.0.1") -> int:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.bind((host, 0))
        sock.settimeout(TIMEOUT)

        def listen() -> None:
            while True:
                try:
                    datagram, sender = sock.recvfrom(65535)
                    if datagram == b"stop it":
                        return
                    answer(sock, datagram, sender)
                except OSError:
                    return

        opened.append(sock)
        threads.append(threading.Thread(target=listen, daemon=True))
        threads[-1].start()
        port: int = sock.getsockname()[1]
        return port

    yield begin
    for sock, thread in zip(opened, threads, strict=True):
        sock.sendto(b"stop it", sock.getsockname())
        thread.join(TIMEOUT)
        sock.close()


def echo(sock: socket.socket, datagram: bytes, sender: object) -> None:
    sock.sendto(datagram, sender)  # type: ignore[call-overload]


def test_each_line_is_one_datagram_and_each_answer_one_line(client: Client, peer: Peer) -> None:
    heard: list[bytes] = []

    def note(sock: socket.socket, datagram: bytes, sender: object) -> None:
        heard.append(datagram)
        echo(sock, datagram, sender)

    port = peer(note)
    done = client("udp", "--count", "4", "127.0.0.1", port, input=b"one\r\ntwo words\n\nlast")
    where = f"127.0.0.1:{port}".encode()
    assert done.returncode == 0
    assert heard == [b"one", b"two words", b"", b"last"]
    assert done.stdout == b"".join(where + b" " + line + b"\n" for line in heard)


def test_a_connected_client_shows_answers_without_their_sender(client: Client, peer: Peer) -> None:
    done = client("udp", "--connect", "--count", "1", "127.0.0.1", peer(echo), input=b"ping\n")
    assert (done.returncode, done.stdout) == (0, b"ping\n")


def from_a_stranger_first(sock: socket.socket, datagram: bytes, sender: object) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"stranger", sender)  # type: ignore[call-overload]
    echo(sock, datagram, sender)


def test_a_connected_client_hears_its_peer_only(client: Client, peer: Peer) -> None:
    port = peer(from_a_stranger_first)
    done = client("udp", "--connect", "--count", "1", "127.0.0.1", port, input=b"ping\n")
    assert (done.returncode, done.stdout) == (0, b"ping\n")


def test_an_unconnected_client_hears_anybody(client: Client, peer: Peer) -> None:
    port = peer(from_a_stranger_first)
    done = client("udp", "--count", "2", "127.0.0.1", port, input=b"ping\n")
    assert [line.split()[1] for line in done.stdout.splitlines()] == [b"stranger", b"ping"]


@pytest.mark.parametrize("options", [[], ["--connect"]])
def test_the_largest_datagram_goes_both_ways(
    client: Client, peer: Peer, options: list[str]
) -> None:
    largest = (os.urandom(65_507 // 2 + 1).hex()[:65_507]).encode()
    done = client(
        "udp", *options, "--json", "--count", "1", "127.0.0.1", peer(echo), input=largest + b"\n"
    )
    ((answer,), result) = read(done.stdout)
    assert (result["sent"], result["answers"]) == (1, 1)
    assert (answer["bytes"], answer["text"]) == (65_507, largest.decode())


def test_a_longer_datagram_is_one_line_and_status_1(client: Client, peer: Peer) -> None:
    port = peer(echo)
    for size in (65_508, 70_000):
        done = client("udp", "127.0.0.1", port, input=b"x" * size + b"\n")
        assert done.returncode == 1
        assert done.stderr.startswith(f"Error: 127.0.0.1:{port}: ".encode())
        assert b"too long" in done.stderr
        assert done.stderr.count(b"\n") == 1


def test_several_buffers_are_one_datagram(client: Client, peer: Peer) -> None:
    port = peer(echo)
    done = client(
        *("udp", "--connect", "--data", "one,", "--data", "two,", "--data", "three"),
        *("--count", "1", "127.0.0.1", port),
    )
    assert (done.returncode, done.stdout) == (0, b"one,two,three\n")


def test_an_unknown_host_is_one_line(client: Client) -> None:
    done = client("udp", "nosuch.invalid", "9000", input=b"x\n")
    assert done.returncode == 1
    assert done.stderr == b"Error: nosuch.invalid:9000: unknown host\n"


def test_a_connected_client_is_told_of_a_refusal(client: Client) -> None:
    port = free_port()
    done = client("udp", "--connect", "127.0.0.1", port, input=b"x\n")
    assert done.returncode == 1
    assert done.stderr.decode() == f"Error: 127.0.0.1:{port}: connection refused\n"


def test_fewer_answers_than_asked_for_is_status_1(client: Client, peer: Peer) -> None:
    port = peer(lambda *_: None)
    done = client("udp", "--wait", "0.1", "--count", "2", "127.0.0.1", port, input=b"x\n")
    assert done.returncode == 1
    assert done.stderr.decode() == f"Error: 127.0.0.1:{port}: 0 of 2 answers came\n"


def test_without_a_count_it_waits_for_late_answers_and_ends_well(
    client: Client, peer: Peer
) -> None:
    def answer_late(sock: socket.socket, datagram: bytes, sender: object) -> None:
        timer = threading.Timer(0.2, echo, (sock, datagram, sender))
        timer.start()

    port = peer(answer_late)
    done = client("udp", "--connect", "--wait", "1", "127.0.0.1", port, input=b"late\n")
    assert (done.returncode, done.stdout) == (0, b"late\n")


def test_two_hundred_lines_at_once_get_two_hundred_answers(client: Client, peer: Peer) -> None:
    lines = b"".join(b"line %d\n" % number for number in range(200))
    done = client("udp", "--connect", "--count", "200", "127.0.0.1", peer(echo), input=lines)
    assert (done.returncode, done.stdout) == (0, lines)


def test_an_answer_that_is_no_text_is_base64_in_json(client: Client, peer: Peer) -> None:
    port = peer(lambda sock, _, sender: sock.sendto(b"\xff\x00", sender))
    done = client("udp", "--json", "--count", "1", "127.0.0.1", port, input=b"x\n")
    ((answer,), _) = read(done.stdout)
    assert (answer["event"], answer["peer"]) == ("answer", f"127.0.0.1:{port}")
    assert (answer["bytes"], answer["base64"]) == (2, "/wA=")
    assert "text" not in answer


def test_ipv6_works(client: Client, peer: Peer) -> None:
    port = peer(echo, "::1")
    done = client("udp", "--count", "1", "::1", port, input=b"six\n")
    assert (done.returncode, done.stdout.decode()) == (0, f"[::1]:{port} six\n")


def test_a_group_is_joined_and_hears_itself(client: Client) -> None:
    port, group = free_port(), "239.255.77.7"
    done = client(
        *("udp", "--bind", f":{port}", "--join-group", group, "--count", "1"),
        *("--multicast-interface", "127.0.0.1", "--multicast-loop", "--multicast-ttl", "0"),
        *(group, port),
        input=b"to the group\n",
    )
    assert (done.returncode, done.stdout.decode()) == (0, f"127.0.0.1:{port} to the group\n")


def test_a_group_can_be_heard_from_one_source_only(client: Client) -> None:
    port, group = free_port(), "232.255.77.7"

    def joined(source: str) -> int:
        done = client(
            *("udp", "--bind", f":{port}", "--join-group", group, "--source", source),
            *("--multicast-interface", "127.0.0.1", "--count", "1", "--wait", "0.3", group, port),
            input=b"to the group\n",
        )
        return int(done.returncode)

    assert (joined("127.0.0.1"), joined("127.0.0.2")) == (0, 1)


def test_broadcast_needs_its_flag(client: Client) -> None:
    refused = client("udp", "255.255.255.255", "9", input=b"x\n")
    assert refused.returncode == 1
    assert refused.stderr == b"Error: 255.255.255.255:9: permission denied\n"


def test_an_option_that_the_system_refuses_is_named(client: Client) -> None:
    done = client("udp", "--bind", "192.0.2.1:0", "127.0.0.1", "9", input=b"x\n")
    assert done.returncode == 1
    assert done.stderr == b"--bind: cannot assign requested address\n"
