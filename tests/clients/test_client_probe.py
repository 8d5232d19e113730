"""``socketsuite probe`` against open, closed and silent ports."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.clients.conftest import Authority, Client, Serve
from tests.clients.contract import read
from tests.clients.servers import free_port, swallow


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
