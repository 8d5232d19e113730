"""Why peers were refused and connections closed: one set of labels, wherever it is told."""

from __future__ import annotations

import contextlib
import re
import socket
from collections import Counter
from pathlib import Path

from socketsuite.reasons import CLOSED, REFUSED
from socketsuite.testing import Daemon, read_all, read_line
from tests.daemons.conftest import Start
from tests.support.admin import asked, figures, until

CLIENT = "192.0.2.7"
DENIED = "192.0.2.8"


def header(client: str) -> bytes:
    return f"PROXY TCP4 {client} 198.51.100.1 5000 443\r\n".encode()


def ends(daemon: Daemon, said: bytes, source: str = "127.0.0.1") -> None:
    """Call from *source* and say *said*; return when the daemon has ended the connection."""
    where = ("127.0.0.1", daemon.port())
    # It may be reset, with what it said unread; a refusal at once even while it connects.
    with (
        contextlib.suppress(ConnectionError),
        socket.create_connection(where, 20, source_address=(source, 0)) as caller,
    ):
        caller.sendall(said)
        assert read_all(caller) == b""


def counted(daemon: Daemon, family: str) -> dict[str, float]:
    """Return the counts of a family of metrics by their reason, those above zero."""
    labels = r'frontend="main",reason="(\w+)",service="acme-rot13"(?:,transport="\w+")?'
    shape = re.compile(rf"socketsuite_{family}_total{{{labels}}}")
    found = ((shape.fullmatch(name), count) for name, count in figures(daemon).items())
    return {match[1]: count for match, count in found if match and count}


def test_a_client_refused_behind_a_proxy_is_refused_and_not_closed(
    serve: Start, tmp_path: Path
) -> None:
    admin = tmp_path / "admin"
    proxied = ("--proxy-from", "127.0.0.1", "--deny", DENIED)
    more = ("--metrics-port", "0", "--admin", str(admin), "--max-connections-per-host", "1")
    daemon = serve("acme-rot13", *proxied, *more)
    with daemon.connect() as served:
        served.sendall(header(CLIENT) + b"a\n")
        assert read_line(served) == b"n\n"
        ends(daemon, header(CLIENT))
        ends(daemon, header(DENIED))
        ends(daemon, b"hello")
        ends(daemon, header(CLIENT), "127.0.0.2")
    refusals = {
        "bad_proxy_header": 1,
        "deny": 1,
        "max_connections_per_host": 1,
        "proxy_from": 1,
    }
    closings = {"closed_by_peer": 1}
    assert until(lambda: counted(daemon, "connections_closed"), bool) == closings
    assert counted(daemon, "refusals") == refusals
    (service,) = asked(admin)["services"]
    assert (service["refused"], service["closed"]) == (refusals, closings)
    assert (service["opened"], service["open"]) == (1, 0)
    assert daemon.stop() == 0
    logged = re.findall(r" (connected|closed|refused) transport=tcp peer=(\S+?):\d+ ", daemon.log)
    assert Counter(logged) == {
        ("connected", CLIENT): 1,
        ("closed", CLIENT): 1,
        ("refused", CLIENT): 1,
        ("refused", DENIED): 1,
        ("refused", "127.0.0.1"): 1,
        ("refused", "127.0.0.2"): 1,
    }


def test_a_refusal_has_one_label_at_accept_and_behind_a_proxy(serve: Start) -> None:
    more = ("--deny", "127.0.0.2", "--deny", DENIED, "--metrics-port", "0")
    direct = serve("acme-rot13", *more)
    ends(direct, b"", "127.0.0.2")
    proxied = serve("acme-rot13", *more, "--proxy-from", "127.0.0.1")
    ends(proxied, header(DENIED))
    for daemon, peer in ((direct, "127.0.0.2"), (proxied, DENIED)):
        line = daemon.wait_for_line(rf"refused transport=tcp peer={peer}:\d+ reason=deny$")
        assert line
        assert counted(daemon, "refusals") == {"deny": 1}
        assert counted(daemon, "connections_closed") == {}


def test_what_ends_before_its_header_is_refused_for_the_reason_of_its_end(serve: Start) -> None:
    more = ("--proxy-from", "127.0.0.1", "--first-byte-timeout", "0.1")
    daemon = serve("acme-rot13", *more)
    ends(daemon, b"")
    ends(daemon, b"hello")
    first = daemon.wait_for_line(" refused transport=tcp .* reason=first_byte_timeout$")
    shape = ' refused transport=tcp .* reason=bad_proxy_header detail="this is something else"$'
    assert daemon.wait_for_line(shape).string != first.string
    assert not [line for line in daemon.lines if re.search(" (connected|closed) ", line)]


def test_every_reason_is_a_series_from_the_start(serve: Start) -> None:
    told = figures(serve("acme-rot13", "--metrics-port", "0"))
    for family, labels in (("connections_closed", CLOSED), ("refusals", REFUSED)):
        shape = re.compile(rf'socketsuite_{family}_total{{frontend="main",reason="(\w+)",.*}}')
        found = {match[1]: told[name] for name in told if (match := shape.fullmatch(name))}
        assert found == dict.fromkeys(labels, 0.0)
