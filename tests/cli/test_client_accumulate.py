"""``socketsuite accumulate`` against a small accumulator."""

from __future__ import annotations

import resource
import socket
import struct

import pytest

from tests.cli.conftest import Client, Serve
from tests.cli.contract import read
from tests.cli.servers import swallow


class Accumulator:
    """Answers each client with running sums, one per integer, in odd pieces."""

    def __init__(self, code: str = "i") -> None:
        self.code = code
        self.values: list[int] = []

    def __call__(self, connection: socket.socket) -> None:
        size = struct.calcsize("<" + self.code)
        waiting = b""
        while data := connection.recv(100):
            waiting += data
            while len(waiting) >= size:
                self.values += struct.unpack(f"<{self.code}", waiting[:size])
                waiting = waiting[size:]
                encoded = struct.pack(f"<{self.code}", sum(self.values))
                try:
                    connection.sendall(encoded[:1])
                    connection.sendall(encoded[1:])
                except OSError:
                    return


def test_integers_go_out_one_by_one_and_each_sum_is_a_line(client: Client, serve: Serve) -> None:
    server = Accumulator()
    options = ("--every", "0.02", "--count", "5", "--sums", "5")
    done = client("accumulate", *options, "localhost", serve(server).port)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"0\n1\n3\n6\n10\n", b"")
    assert server.values == [0, 1, 2, 3, 4]


def test_it_ends_with_the_last_integer(client: Client, serve: Serve) -> None:
    server = Accumulator()
    started = serve(server)
    done = client("accumulate", "--every", "0.02", "--count", "3", "localhost", started.port)
    started.close()
    assert done.returncode == 0
    assert server.values == [0, 1, 2]


def test_the_first_goes_after_one_and_a_half_periods(client: Client, serve: Serve) -> None:
    port = serve(Accumulator()).port
    options = ("--json", "--every", "0.2", "--count", "3", "--sums", "3")
    done = client("accumulate", *options, "localhost", port)
    rows, result = read(done.stdout)
    assert (result["status"], result["sums"]) == (0, 3)
    assert [(row["event"], row["value"]) for row in rows] == [("sum", 0), ("sum", 1), ("sum", 3)]
    for row, due in zip(rows, (0.3, 0.5, 0.7), strict=True):
        assert due <= row["duration"] < due + 1


@pytest.mark.parametrize(("given", "typed"), [("5,7,-3", b""), ("-", b"5 7\n-3\n")])
def test_given_values_are_sent_at_once(
    client: Client, serve: Serve, given: str, typed: bytes
) -> None:
    port = serve(Accumulator()).port
    done = client("accumulate", "--values", given, "--sums", "3", "localhost", port, input=typed)
    assert (done.returncode, done.stdout) == (0, b"5\n12\n9\n")


def test_given_values_wait_for_one_sum(client: Client, serve: Serve) -> None:
    done = client("accumulate", "--values", "-7", "localhost", serve(Accumulator()).port)
    assert (done.returncode, done.stdout) == (0, b"-7\n")


def test_64_bits_hold_what_32_do_not(client: Client, serve: Serve) -> None:
    port = serve(Accumulator("q")).port
    done = client("accumulate", "--width", "64", "--values", str(2**62), "localhost", port)
    assert (done.returncode, int(done.stdout)) == (0, 2**62)


@pytest.mark.parametrize("values", [str(2**31), "1.5", "one", ""])
def test_values_that_are_no_such_integers_are_a_usage_error(client: Client, values: str) -> None:
    done = client("accumulate", "--values", values, "localhost", "1")
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1


def test_a_server_that_closes_early_is_status_1(client: Client, serve: Serve) -> None:
    port = serve(lambda connection: connection.sendall(struct.pack("<i", 9))).port
    done = client("accumulate", "--sums", "2", "localhost", port)
    assert (done.returncode, done.stdout) == (1, b"9\n")
    assert done.stderr == b"the server closed after 1 of 2 sums\n"


def test_a_server_that_closes_before_the_last_integer_is_status_1(
    client: Client, serve: Serve
) -> None:
    port = serve(lambda connection: connection.sendall(struct.pack("<i", 9))).port
    done = client("accumulate", "localhost", port)
    assert done.returncode == 1
    assert (
        done.stderr.decode()
        == f"No server at localhost {port}: it closed before the last integer\n"
    )


def test_a_silent_server_is_not_waited_for_after_the_last_integer(
    client: Client, serve: Serve
) -> None:
    done = client("accumulate", "--every", "0.01", "--count", "2", "localhost", serve(swallow).port)
    assert (done.returncode, done.stdout) == (0, b"")


@pytest.mark.parametrize(
    ("values", "typed"),
    [("1,x", b""), ("1_0", b""), ("-", b"\xff\xfe"), ("-", b"1 \x1b[2J"), ("9" * 5000, b"")],
)
def test_what_is_allowed_is_said(client: Client, values: str, typed: bytes) -> None:
    done = client("accumulate", "--values", values, "localhost", "1", input=typed)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert b"allowed are whole numbers in decimal, such as 5,7,-3" in done.stderr
    assert b"\x1b" not in done.stderr


def test_a_huge_count_takes_no_memory(client: Client, serve: Serve) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))

    port = serve(Accumulator()).port
    options = ("--count", 2**31, "--every", "0.01", "--sums", "1")
    done = client("accumulate", *options, "127.0.0.1", port, preexec_fn=limit)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"0\n", b"")
