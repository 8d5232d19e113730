"""``socketsuite probe`` against open, closed and silent ports."""

from __future__ import annotations

import resource
import socket
from pathlib import Path

import pytest

from tests.cli.conftest import Authority, Client, Serve
from tests.cli.contract import read
from tests.cli.servers import swallow
from tests.support.ports import free_port


def test_open_ports_are_status_0_in_the_order_given(client: Client, serve: Serve) -> None:
    first, second = serve(swallow).port, serve(swallow).port
    done = client("probe", "localhost", second, first)
    assert done.stdout.decode() == f"localhost:{second} open\nlocalhost:{first} open\n"
    assert (done.returncode, done.stderr) == (0, b"")


def test_one_closed_port_is_status_1(client: Client, serve: Serve) -> None:
    open_port, closed = serve(swallow).port, free_port()
    done = client("probe", "127.0.0.1", open_port, closed)
    assert done.returncode == 1
    assert done.stdout.decode().splitlines() == [
        f"127.0.0.1:{open_port} open",
        f"127.0.0.1:{closed} closed (connection refused)",
    ]


def test_a_silent_port_is_filtered(client: Client) -> None:
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())  # the backlog is full: SYNs are dropped
        port = full.getsockname()[1]
        done = client("probe", "--timeout", "0.3", "127.0.0.1", port)
    assert done.returncode == 1
    assert done.stdout.decode() == f"127.0.0.1:{port} filtered (no answer within 0.3 s)\n"


def test_a_range_is_every_port_of_it(client: Client) -> None:
    done = client("probe", "127.0.0.1", "1-200")
    ports = [int(line.split()[0].rpartition(":")[2]) for line in done.stdout.decode().splitlines()]
    assert ports == list(range(1, 201))


def test_an_unknown_host_says_so(client: Client) -> None:
    done = client("probe", "nosuch.invalid", "80")
    assert done.returncode == 1
    assert done.stdout == b"nosuch.invalid:80 closed (unknown host)\n"


def test_ipv6_is_shown_in_brackets(client: Client, serve: Serve) -> None:
    port = serve(swallow, family=socket.AF_INET6, address=("::1", 0)).port
    assert client("probe", "::1", port).stdout.decode() == f"[::1]:{port} open\n"


def test_a_unix_socket_is_probed(client: Client, serve: Serve, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    serve(swallow, family=socket.AF_UNIX, address=path)
    done = client("probe", "--unix", path)
    assert (done.returncode, done.stdout.decode()) == (0, f"{path} open\n")


def test_tls_is_open_only_when_verified(client: Client, serve: Serve, authority: Authority) -> None:
    port = serve(swallow, tls=authority.server()).port
    trusting = client("probe", "--tls", "--cafile", authority.cafile, "localhost", port)
    assert (trusting.returncode, trusting.stdout.decode()) == (0, f"localhost:{port} open\n")
    wary = client("probe", "--tls", "localhost", port)
    assert wary.returncode == 1
    assert wary.stdout.decode().startswith(f"localhost:{port} closed (TLS: its certificate")


def test_json_is_one_object_per_line(client: Client, serve: Serve) -> None:
    open_port, closed = serve(swallow).port, free_port()
    done = client("probe", "--json", "127.0.0.1", open_port, closed)
    rows, result = read(done.stdout)
    assert [(row["event"], row["peer"], row["state"]) for row in rows] == [
        ("port", f"127.0.0.1:{open_port}", "open"),
        ("port", f"127.0.0.1:{closed}", "closed"),
    ]
    assert all(0 <= row["duration"] < 10 for row in rows)
    assert [row["error"] and row["error"]["code"] for row in rows] == [None, "refused"]
    assert (result["open"], result["closed"], result["filtered"]) == (1, 1, 0)
    assert result["error"]["code"] == "not-open"


def test_refused_ports_do_not_wait_for_each_other(client: Client) -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        done = client("probe", "--json", host, "1-400")
        rows, _ = read(done.stdout)
        refused = sorted(row["duration"] for row in rows if row["error"])
        assert len(refused) > 350
        assert refused[len(refused) // 2] < 0.05  # between two addresses of a name it is 0.1


def test_many_ports_need_few_descriptors(client: Client) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))

    done = client("probe", "--json", "127.0.0.1", "1-1500", preexec_fn=few)
    rows, result = read(done.stdout)
    assert len(rows) == 1500
    assert {row["error"]["code"] for row in rows if row["error"]} == {"refused"}
    assert result["open"] + result["closed"] == 1500


@pytest.mark.parametrize("most", [6, 7, 8, 9])
def test_too_few_descriptors_are_not_taken_for_closed_ports(client: Client, most: int) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    done = client("probe", "127.0.0.1", "1-3", preexec_fn=few)
    assert done.returncode == 1
    assert b"too many open files" not in done.stdout
    if not done.stdout:
        assert done.stderr.startswith(b"Error: too many open files")
        assert done.stderr.count(b"\n") == 1


@pytest.mark.sampled(4)
@pytest.mark.parametrize("form", ["{host} {one} {two}", "{host}:{one},{two}", "{host} {one},{two}"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_ports_may_be_written_in_several_ways(
    client: Client, serve: Serve, form: str, host: str
) -> None:
    one, two = serve(swallow).port, serve(swallow).port
    done = client("probe", *form.format(host=host, one=one, two=two).split())
    assert done.stdout.decode() == f"{host}:{one} open\n{host}:{two} open\n"
    assert done.returncode == 0


def test_several_hosts_may_be_probed_at_once(client: Client, serve: Serve) -> None:
    six = serve(swallow, family=socket.AF_INET6, address=("::1", 0)).port
    four = serve(swallow).port
    done = client("probe", f"[::1]:{six}", f"127.0.0.1:{four}")
    assert done.stdout.decode() == f"[::1]:{six} open\n127.0.0.1:{four} open\n"


def test_services_and_ranges_mix(client: Client) -> None:
    done = client("probe", "127.0.0.1:discard,5-6,https")
    ports = [int(line.split()[0].rpartition(b":")[2]) for line in done.stdout.splitlines()]
    assert ports == [9, 5, 6, 443]


NO_PORTS = ["h", "h:", "h 1 :2", "h 1,,2", "h 0", "h 65536", "h +80", "h 2-1", "h 1-", "h ²"]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("words", [*NO_PORTS, "h a:1"])
def test_what_is_no_port_is_a_usage_error(client: Client, words: str) -> None:
    done = client("probe", *words.split())
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
    if words in ("h", "h a:1"):
        assert b"Give HOST and at least one PORT." in done.stderr
