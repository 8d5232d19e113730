"""Sessions by hand: who may have one, what ends it, and what it may cost."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from socketsuite.testing import Daemon, read_all, reset, until
from tests.support.engine_caller import POLLING, Polling, WebSocket, request
from tests.support.stranger import package

SUBJECT = Path(__file__).parents[1] / "support" / "socketio_subject.py"
LIMITS = {
    "max_sessions_per_address": 8,
    "max_payload": 1000,
    "max_payload_packets": 20,
    "max_queue_bytes": 4000,
    "max_queue_packets": 30,
    "max_attachments": 2,
    "max_attachment_bytes": 500,
    "attachments_timeout": 0.3,
    "upgrade_timeout": 0.3,
    "max_namespaces": 1,
    "max_unanswered": 5,
    "max_rooms": 3,
    "max_depth": 5,
    "allow_origin": ["https://friend.example"],
}
UNKNOWN = (400, '{"code":1,"message":"Session ID unknown"}')
ELSEWHERE = "127.0.1.1"
BAD = (400, '{"code":3,"message":"Bad request"}')


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("sessions")
    env = package(folder, SUBJECT.read_text()) | {"SOCKETIO_OPTIONS": json.dumps(LIMITS)}
    with Daemon(folder, "acme-service", "--port", "0", env=env) as daemon:
        yield daemon
        assert not daemon.has_line("Traceback"), daemon.log


@pytest.fixture
def port(daemon: Daemon) -> int:
    return daemon.port()


_addresses = (f"127.0.2.{n}" for n in count(1))


@pytest.fixture
def here() -> str:
    """An address of the test's own: sessions of others do not count."""
    return next(_addresses)


def ask(caller: WebSocket, event: str, *arguments: Any) -> Any:
    """Return the one argument of an event's acknowledgement."""
    caller.send("421" + json.dumps([event, *arguments]))
    while not (got := caller.receive()).startswith("431"):
        pass
    return json.loads(got[3:])[0]


def connected(port: int, source: str) -> WebSocket:
    caller = WebSocket(port, source=source)
    caller.receive()
    caller.send("40")
    assert caller.receive().startswith('40{"sid":')
    assert caller.receive() == '42["hello",{},"websocket"]'
    return caller


# ── requests ────────────────────────────────────────────────────────────────────────────


def test_ids_are_secrets_and_no_two_are_alike(port: int, here: str) -> None:
    some = [Polling(port, here) for _ in range(4)]
    ids = {each.opened["sid"] for each in some}
    assert len(ids) == 4
    assert all(re.fullmatch(r"[\w-]{32}", each) for each in ids)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/socket.io/?EIO=3&transport=polling", 5),
        ("/socket.io/?EIO=4&transport=flash", 0),
        ("/socket.io/", 0),
        (POLLING + "&sid=", 1),
        (POLLING + "&sid=../../etc/passwd", 1),
        (POLLING + "&a" * 200, 3),
        (POLLING + "&sid=%ff%00", 1),
    ],
)
def test_a_request_that_belongs_nowhere_is_refused(
    port: int, here: str, path: str, code: int
) -> None:
    status, text, _ = request(port, path)
    assert (status, json.loads(text)["code"]) == (400, code)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "PATCH"])
def test_only_get_opens_a_session(port: int, method: str) -> None:
    status, text, _ = request(port, POLLING, method=method)
    assert status == 400
    assert method == "HEAD" or json.loads(text)["code"] == 2


def test_an_id_is_no_use_from_another_address(port: int, here: str) -> None:
    session = Polling(port, here)
    assert session.get(source=ELSEWHERE) == UNKNOWN
    assert session.post("40", source=ELSEWHERE) == UNKNOWN
    stolen = WebSocket(port, session.path.replace("polling", "websocket"), source=ELSEWHERE)
    assert stolen.status == 400
    assert session.post("40") == (200, "ok")
    assert session.get()[0] == 200


def test_one_address_has_only_so_many_sessions_and_others_have_theirs(port: int, here: str) -> None:
    held = [Polling(port, here) for _ in range(4)]
    held_too = [WebSocket(port, source=here) for _ in range(4)]
    assert [each.status for each in held_too] == [101] * 4
    status, text, _ = request(port, POLLING, source=here)
    assert (status, text) == (429, '{"code":4,"message":"Forbidden"}')
    assert WebSocket(port, source=here).status == 429
    Polling(port, ELSEWHERE)
    assert held[0].post("1") == (200, "ok")
    assert request(port, POLLING, source=here)[0] == 200


def test_a_page_of_another_origin_gets_no_session_and_a_friend_does(port: int, here: str) -> None:
    def asked(origin: str, **more: Any) -> tuple[int, str | None]:
        said = {"Origin": origin}
        status, _, headers = request(port, POLLING, source=here, headers=said, **more)
        return status, headers["Access-Control-Allow-Origin"]

    own = f"http://127.0.0.1:{port}"
    assert asked("https://evil.example") == (403, None)
    assert asked("null") == (403, None)
    assert asked("https://friend.example.evil.example") == (403, None)
    assert asked(own) == (200, own)
    assert asked("https://friend.example") == (200, "https://friend.example")
    assert asked("https://friend.example", method="OPTIONS") == (204, "https://friend.example")
    assert asked("https://evil.example", method="OPTIONS") == (403, None)
    assert WebSocket(port, source=here, origin="https://evil.example").status == 403
    assert WebSocket(port, source=here, origin="https://friend.example").status == 101
    session = Polling(port, here)
    evil = {"Origin": "https://evil.example"}
    stolen = request(port, session.path, "40", source=here, headers=evil)
    assert stolen[0] == 403


# ── polls ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    ["", "abc", "4\x1e", "4abc", "2", "5", "0", "9", b"4\xff", "b!", "40\x1e4abc", "4\x1e" * 20],
)
def test_a_payload_that_is_none_ends_its_session_and_no_other(
    port: int, here: str, body: str | bytes
) -> None:
    bad, good = Polling(port, here), Polling(port, here)
    assert bad.post(body)[0] in (200, 400)  # what is a packet, and may not come, is taken first
    assert bad.get() == UNKNOWN
    assert good.post("40") == (200, "ok")
    assert good.post("1") == (200, "ok")


def test_a_payload_that_is_too_large_is_not_read(port: int, here: str) -> None:
    session = Polling(port, here)
    assert session.post("4" + "x" * 1000)[0] == 413
    assert session.post("40") == (200, "ok")


def test_a_form_is_no_query(port: int, here: str) -> None:
    session, other = Polling(port, here), Polling(port, ELSEWHERE)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = f"sid={other.opened['sid']}"
    assert request(port, session.path, body, headers=form, source=here)[0] == 400
    assert other.post("40") == (200, "ok")


def test_a_second_poll_ends_the_session_and_tells_the_first(port: int, here: str) -> None:
    session = Polling(port, here)
    polls = [session.hang(), session.hang()]  # either may come first
    answers = sorted(read_all(each) for each in polls)
    assert answers[0].startswith(b"HTTP/1.1 200 ")
    assert answers[0].endswith(b"\r\n\r\n1")
    assert answers[1].startswith(b"HTTP/1.1 400 ")
    assert session.get() == UNKNOWN


def test_a_poll_that_is_cut_off_ends_the_session(port: int, here: str) -> None:
    session = Polling(port, here)
    reset(session.hang())
    until(lambda: session.post("3"), lambda seen: seen == UNKNOWN)


def test_what_an_absent_poller_leaves_is_bounded(port: int, here: str, daemon: Daemon) -> None:
    for body in (["echo", "x" * 900], ["echo"]):
        session = Polling(port, here)
        session.post("40")
        packet = "42" + json.dumps(body)
        payload = "\x1e".join([packet] * (19 if len(packet) < 100 else 1))
        answers = [session.post(payload) for _ in range(6)]
        assert answers[0] == (200, "ok")
        assert answers[-1] == UNKNOWN
    daemon.wait_for_line("limit exceeded: more waits than its polls fetch")


# ── WebSockets and upgrades ─────────────────────────────────────────────────────────────


def upgrade_of(session: Polling) -> WebSocket:
    return WebSocket(
        session.port, session.path.replace("polling", "websocket"), source=session.source
    )


def test_between_the_probe_and_the_upgrade_every_poll_ends_at_once(port: int, here: str) -> None:
    session = Polling(port, here)
    hanging = session.hang()
    candidate = upgrade_of(session)
    candidate.send("2probe")
    assert candidate.receive() == "3probe"
    assert hanging.recv(1 << 16).endswith(b"\r\n\r\n6")
    assert [session.get() for _ in range(3)] == [(200, "6")] * 3
    session.post("40")
    candidate.send("5")
    assert candidate.receive().startswith('40{"sid"')
    assert session.get() == BAD
    candidate.close()


@pytest.mark.parametrize("said", ["2", "5", "3probe", "4x", "2probex", "x", b"2probe", None])
def test_a_websocket_that_does_not_probe_is_closed_and_polling_goes_on(
    port: int, here: str, said: str | bytes | None
) -> None:
    session = Polling(port, here)
    candidate = upgrade_of(session)
    if said is not None:
        candidate.send(said)
    assert candidate.receive() is None  # silence ends by the time-out
    assert session.post("40") == (200, "ok")
    assert session.get()[1].startswith('40{"sid"')
    session.post("1")


def test_a_second_websocket_of_a_session_is_closed_and_the_first_goes_on(
    port: int, here: str
) -> None:
    session = Polling(port, here)
    first, second = upgrade_of(session), upgrade_of(session)
    assert second.receive() is None
    first.send("2probe")
    assert first.receive() == "3probe"
    first.send("5", "40")
    assert first.receive().startswith('40{"sid"')
    assert upgrade_of(session).receive() is None
    direct = connected(port, here)
    first.send('420["ack",1]')
    assert first.receive() == '42["hello",{},"websocket"]'
    assert first.receive() == "430[1]"
    direct.close()
    first.close()


@pytest.mark.parametrize(
    "said",
    [
        ["4abc"],
        ["x"],
        [""],
        ["2"],
        ["5"],
        ["42{}"],
        ['42["disconnect"]'],
        ["44{}"],
        ['42["a",' + "[" * 6 + "]" * 6 + "]"],
        [b"an attachment of nothing"],
        ['451-["a",{"_placeholder":true,"num":0}]', '42["between"]'],
        ['451-["a",{"_placeholder":true,"num":0}]', bytes(501)],
        ['451-["a",{"_placeholder":true,"num":5}]'],
        ['451-["a",{"_placeholder":true,"num":0}]'],  # and no attachment in time
        ['42/custom,["a"]'],
        ["4" + "x" * 1000],
        [*(f'42{n}["never"]' for n in range(6))],
    ],
    ids=lambda said: str(said)[:40],
)
def test_what_may_not_come_ends_the_session_and_no_other(
    port: int, here: str, said: list[str | bytes]
) -> None:
    bad, good = connected(port, here), connected(port, here)
    bad.send(*said)
    assert bad.receive() is None
    assert ask(good, "ack", 1) == 1
    good.close()


def test_a_packet_before_the_namespace_is_entered_ends_the_session(port: int, here: str) -> None:
    caller = WebSocket(port, source=here)
    caller.receive()
    caller.send('42["ack",1]')
    assert caller.receive() is None


def test_a_session_may_enter_only_so_many_namespaces_and_ask_twice(port: int, here: str) -> None:
    caller = connected(port, here)
    caller.send("40", "40/custom,")
    assert caller.receive() == '44/custom,{"message":"Too many namespaces"}'
    assert ask(caller, "ack", 1) == 1
    caller.close()


def test_what_crosses_with_the_servers_disconnect_is_dropped(port: int, here: str) -> None:
    caller = connected(port, here)
    caller.send('42["leave-me",false]', '42["ack"]', "40")
    assert caller.receive() == "41"
    assert caller.receive().startswith('40{"sid"')
    caller.close()


def test_a_socket_is_only_in_so_many_rooms_and_bytes_do_not_reach_the_log(
    port: int, here: str, daemon: Daemon
) -> None:
    caller = connected(port, here)
    caller.send('420["join","a","b","c","d"]')
    assert ask(caller, "ack", 1) == 1
    daemon.wait_for_line("handler of join failed: ValueError: a socket cannot be in so many rooms")
    before = len(daemon.lines)
    caller.send(*['42["raise"]'] * 30)
    assert ask(caller, "ack", 1) == 1
    daemon.wait_for_line("line\\^Jand \\^\\[ .*no more is logged of this socket", before)
    caller.close()


def test_a_client_that_reads_nothing_is_ended(port: int, here: str, daemon: Daemon) -> None:
    deaf, other = connected(port, here), connected(port, here)
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    assert ask(deaf, "join", "flood") == ["flood"]
    start = len(daemon.lines)
    packets = ["42" + json.dumps(["say", ["flood"], [], "x" * 900])] * 500

    def ended() -> bool:
        other.send(*packets)
        return bool(ask(other, "say", ["flood"], [], "the last of them") == 0)

    until(ended, bool)
    daemon.wait_for_line("limit exceeded: reads less than is sent", start)
    other.close()
    deaf.close()


def test_a_silent_client_is_ended(tmp_path: Path) -> None:
    env = package(tmp_path, SUBJECT.read_text())
    env["SOCKETIO_OPTIONS"] = json.dumps(
        {"ping_interval": 0.1, "ping_timeout": 1.0, "connect_timeout": 1.5}
    )
    with Daemon(tmp_path, "acme-service", "--port", "0", env=env) as daemon:
        port = daemon.port()
        silent, polling = connected(port, "127.0.0.1"), Polling(port)
        polling.post('40{"name":"polling"}')

        def told() -> Any:
            watch.send('427["told","polling"]')
            while (got := watch.receive()) == "2":
                watch.send("3")
            return got

        assert silent.receive() == "2"
        while silent.receive() == "2":
            pass
        watch = connected(port, "127.0.0.1")  # it answers from now on
        until(told, lambda seen: seen == '437[["ping timeout"]]')
        assert polling.get() == UNKNOWN
        idle = WebSocket(port)
        assert json.loads(idle.receive()[1:])["pingInterval"] == 100
        while (got := idle.receive()) == "2":  # it lives, but enters no namespace
            idle.send("3")
        assert got is None
        daemon.wait_for_line("limit exceeded: enters no namespace")
