"""Socket activation: what is taken, what is refused, and whose it is."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from socketsuite.daemon.errors import StartError
from socketsuite.daemon.listen.inherited import (
    InheritedSocket,
    assign,
    check_served,
    inherited_sockets,
    is_covered,
    is_covered_path,
    start_environment,
)

PID = 4242
TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


class Manager:
    """Opens sockets as systemd does, and hands them on by number."""

    def __init__(self, opened: ExitStack) -> None:
        self.opened = opened

    def listening(self, address: tuple[str, int] | str = ("127.0.0.1", 0)) -> socket.socket:
        if isinstance(address, str):
            made = self.made(socket.AF_UNIX, TCP)
        else:
            made = self.made(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, TCP)
            if ":" in address[0]:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen()
        return made

    def datagrams(self) -> socket.socket:
        made = self.made(socket.AF_INET, UDP)
        made.bind(("127.0.0.1", 0))
        return made

    def made(self, family: int, kind: int) -> socket.socket:
        return self.opened.enter_context(socket.socket(family, kind))

    def hand_over(self, *sockets: socket.socket, names: str = "") -> list[InheritedSocket]:
        """Take *sockets* as a started process would, from a row of descriptors."""
        # As many in a row, free: none of ours is so high.
        first = fcntl.fcntl(0, fcntl.F_DUPFD, 500)
        os.close(first)
        for index, one in enumerate(sockets):
            os.dup2(one.fileno(), first + index, inheritable=True)
        environ = variables(len(sockets), names)
        try:
            taken = inherited_sockets(environ, PID, first=first)
        finally:
            for index in range(len(sockets)):
                self.opened.callback(close_quietly, first + index)
        for each in taken:
            self.opened.enter_context(each.socket)
        assert environ == {}
        return taken


def close_quietly(descriptor: int) -> None:
    with suppress(OSError):
        os.close(descriptor)


def variables(count: int, names: str = "", pid: int = PID) -> dict[str, str]:
    more = {"LISTEN_FDNAMES": names} if names else {}
    return {"LISTEN_PID": str(pid), "LISTEN_FDS": str(count), **more}


@pytest.fixture
def manager(opened: ExitStack) -> Manager:
    return Manager(opened)


def test_each_kind_is_taken_with_its_name_in_the_managers_order(
    manager: Manager, tmp_path: Path
) -> None:
    path = tmp_path / "socket"
    sockets = manager.listening(), manager.datagrams(), manager.listening(str(path))
    taken = manager.hand_over(*sockets, names="echo:echo-udp:door")
    assert [(one.kind, one.name) for one in taken] == [
        ("tcp", "echo"),
        ("udp", "echo-udp"),
        ("unix", "door"),
    ]
    assert [one.socket.getsockname() for one in taken] == [each.getsockname() for each in sockets]
    assert [one.path for one in taken] == [None, None, path]


def test_what_is_taken_neither_blocks_nor_goes_on_to_children(manager: Manager) -> None:
    mine = manager.listening()
    mine.setblocking(True)
    [taken] = manager.hand_over(mine)
    assert taken.socket.gettimeout() == 0
    assert not os.get_blocking(taken.socket.fileno())
    assert not os.get_inheritable(taken.socket.fileno())


def test_sockets_without_names_are_taken_too(manager: Manager) -> None:
    assert [one.name for one in manager.hand_over(manager.listening())] == ["unknown"]


def test_a_unix_socket_without_a_file_has_no_path(manager: Manager) -> None:
    [taken] = manager.hand_over(manager.listening(f"\0socketsuite-test-{os.getpid()}"))
    assert (taken.kind, taken.path) == ("unix", None)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        variables(1, pid=PID + 1),
        {"LISTEN_FDS": "1"},
        {"LISTEN_FDS": "1", "LISTEN_PID": "nobody", "LISTEN_FDNAMES": "x"},
        {"LISTEN_FDS": "0", "LISTEN_PID": str(PID)},
    ],
)
def test_what_is_meant_for_another_process_is_none_of_ours_nor_of_our_childrens(
    environ: dict[str, str],
) -> None:
    assert inherited_sockets(environ, PID) == []
    assert environ == {}


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        (variables(1, "a:b"), "LISTEN_FDS says 1 sockets, and LISTEN_FDNAMES names 2"),
        ({**variables(1), "LISTEN_FDS": "-1"}, "LISTEN_FDS='-1' is not a number of sockets"),
        ({**variables(1), "LISTEN_FDS": ""}, "LISTEN_FDS='' is not a number of sockets"),
    ],
)
def test_variables_that_contradict_each_other_are_one_line(
    environ: dict[str, str], words: str
) -> None:
    with pytest.raises(StartError, match=words):
        inherited_sockets(environ, PID)


def test_a_descriptor_that_is_not_open_is_one_line() -> None:
    with pytest.raises(StartError, match=r"'x' \(descriptor 60000\) is no open socket: "):
        inherited_sockets(variables(1, "x"), PID, first=60000)


def test_a_descriptor_that_is_a_file_is_one_line(tmp_path: Path, opened: ExitStack) -> None:
    file = opened.enter_context((tmp_path / "file").open("wb"))
    with pytest.raises(StartError, match="is no open socket"):
        inherited_sockets(variables(1), PID, first=file.fileno())


def refusal(manager: Manager, one: socket.socket) -> str:
    with pytest.raises(StartError) as caught:
        manager.hand_over(one, names="odd")
    assert str(caught.value).startswith("inherited socket 'odd' (descriptor ")
    return str(caught.value).partition(" cannot be served: ")[2]


def test_a_connection_of_accept_yes_is_refused_with_the_cure(manager: Manager) -> None:
    listener = manager.listening()
    manager.opened.enter_context(socket.create_connection(listener.getsockname(), 10))
    accepted = manager.opened.enter_context(listener.accept()[0])
    assert refusal(manager, accepted).endswith("say Accept=no in its socket unit")


def test_sequential_packets_and_unix_datagrams_are_refused(manager: Manager) -> None:
    assert "ListenSequentialPacket=" in refusal(
        manager, manager.made(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    )
    assert "UDP only" in refusal(manager, manager.made(socket.AF_UNIX, UDP))


def test_another_address_family_is_refused(manager: Manager) -> None:
    netlink = manager.made(socket.AF_NETLINK, UDP)
    assert refusal(manager, netlink) == "address family 16 is not spoken here"


def test_sockets_that_are_not_bound_or_do_not_listen_are_refused(manager: Manager) -> None:
    bound = manager.made(socket.AF_INET, TCP)
    bound.bind(("127.0.0.1", 0))
    assert refusal(manager, bound) == "it does not listen"
    assert refusal(manager, manager.made(socket.AF_INET, UDP)) == "it has no port"


# ── whose they are ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["unknown", "anything.socket", "chat"])
def test_the_only_service_gets_every_socket_whatever_its_name(manager: Manager, name: str) -> None:
    taken = manager.hand_over(manager.listening(), manager.datagrams(), names=f"{name}:{name}")
    assert assign(taken, {"socketsuite-echo": ["main"]}) == {"socketsuite-echo": taken}


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("echo", "echo"),
        ("socketsuite-echo", "echo"),
        ("socketsuite-echo.socket", "echo"),
        ("echo-tls", "echo"),
        ("acme-rot13", "acme-rot13"),
        ("chat", "socketsuite-chat"),
        ("staff-tls", "staff-tls"),
    ],
)
def test_of_several_services_each_gets_the_sockets_of_its_name(
    manager: Manager, name: str, service: str
) -> None:
    services = ["staff", "staff-tls", "echo", "acme-rot13", "socketsuite-chat"]
    taken = manager.hand_over(manager.listening(), names=name)
    shares = assign(taken, {each: ["main"] for each in services})
    assert {owner for owner, share in shares.items() if share} == {service}
    assert list(shares) == services


def test_a_socket_for_none_of_several_services_is_one_line_with_the_cure(manager: Manager) -> None:
    taken = manager.hand_over(manager.listening(), names="time")
    with pytest.raises(StartError, match=r"'time' is for no service of echo, chat; say FileDesc"):
        assign(taken, {"echo": ["main"], "chat": ["main"]})


def test_a_service_refuses_the_kind_that_it_does_not_speak(manager: Manager) -> None:
    tcp, udp = manager.hand_over(manager.listening(), manager.datagrams(), names="a:b")
    check_served([tcp, udp], tcp=True, udp=True, tls=False)
    with pytest.raises(StartError, match="UDP socket 'b' is not served"):
        check_served([tcp, udp], tcp=True, udp=False, tls=False)
    with pytest.raises(StartError, match="TCP socket 'a' is not served"):
        check_served([tcp, udp], tcp=False, udp=True, tls=False)


@pytest.mark.parametrize("name", ["echo-tls", "echo-tls.socket"])
def test_a_name_for_tls_is_never_served_in_the_clear(manager: Manager, name: str) -> None:
    tcp, udp = manager.hand_over(manager.listening(), manager.datagrams(), names=f"{name}:{name}")
    check_served([tcp], tcp=True, udp=True, tls=True)
    with pytest.raises(StartError, match="needs --tls-cert"):
        check_served([tcp], tcp=True, udp=True, tls=False)
    with pytest.raises(StartError, match="which only TCP has here"):
        check_served([udp], tcp=True, udp=True, tls=True)


# ── nothing is bound twice ───────────────────────────────────────────────────────────


def test_an_address_that_is_inherited_is_not_to_be_bound_again(manager: Manager) -> None:
    taken = manager.hand_over(manager.listening())
    port = taken[0].socket.getsockname()[1]
    inet = socket.AF_INET
    assert is_covered(taken, TCP, inet, ("127.0.0.1", port))
    assert not is_covered(taken, UDP, inet, ("127.0.0.1", port))
    assert not is_covered(taken, TCP, inet, ("127.0.0.2", port))
    assert not is_covered(taken, TCP, inet, ("127.0.0.1", 0))
    assert not is_covered(taken, TCP, socket.AF_INET6, ("::1", port, 0, 0))


@pytest.mark.parametrize("dual", [True, False])
def test_a_socket_for_every_address_covers_exactly_what_the_kernel_would_refuse(
    manager: Manager, dual: bool
) -> None:
    mine = manager.made(socket.AF_INET6, TCP)
    mine.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual)
    mine.bind(("::", 0))
    mine.listen()
    taken = manager.hand_over(mine)
    port = mine.getsockname()[1]
    asked = [
        (socket.AF_INET, ("127.0.0.1", port)),
        (socket.AF_INET, ("0.0.0.0", port)),
        (socket.AF_INET6, ("::1", port, 0, 0)),
    ]
    for family, address in asked:
        other = manager.made(family, TCP)
        refused = False
        try:
            other.bind(address)
        except OSError:
            refused = True
        other.close()
        assert is_covered(taken, TCP, family, address) == refused


def test_a_unix_path_is_the_same_however_it_is_written(manager: Manager, tmp_path: Path) -> None:
    taken = manager.hand_over(manager.listening(str(tmp_path / "door")))
    (tmp_path / "folder").symlink_to(tmp_path)
    assert is_covered_path(taken, tmp_path / "folder" / "door")
    assert not is_covered_path(taken, tmp_path / "other")


# ── a real process ───────────────────────────────────────────────────────────────────

# What systemd does between fork and exec; the descriptors move out of the way of 3, 4, … first.
EXEC = """
import fcntl, os, sys
names, given, *command = sys.argv[1:]
high = [fcntl.fcntl(int(one), fcntl.F_DUPFD, 100) for one in given.split(",")]
for number, one in enumerate(high):
    os.dup2(one, 3 + number, inheritable=True)
os.environ.update(
    LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(high)), LISTEN_FDNAMES=names
)
os.execv(command[0], command)
"""
CHILD = """
import json, os, subprocess, sys
if "endpoints" in sys.argv:
    import twisted.internet.endpoints
from socketsuite.daemon.listen.inherited import inherited_sockets, start_environment
taken = inherited_sockets(start_environment(os.environ), os.getpid())
own = [(one.name, one.kind, one.socket.fileno(), one.socket.getsockname()) for one in taken]
again = inherited_sockets(os.environ, os.getpid())
child = "import os; print(sorted(k for k in os.environ if k.startswith('LISTEN_')))"
print(json.dumps([own, again]))
sys.stdout.flush()
subprocess.run([sys.executable, "-c", child], close_fds=False)
connection = None
for one in taken:
    if one.kind == "tcp":
        one.socket.setblocking(True)
        connection, _ = one.socket.accept()
        connection.sendall(b"served")
"""


@pytest.mark.parametrize("imported", ["nothing", "endpoints"])
def test_a_started_process_serves_what_it_was_started_with(manager: Manager, imported: str) -> None:
    """Also when Twisted, by an import, has already taken the variables for itself."""
    tcp, udp = manager.listening(), manager.datagrams()
    numbers = [tcp.fileno(), udp.fileno()]
    wrapper = [sys.executable, "-c", EXEC, "echo:echo-udp", ",".join(map(str, numbers))]
    with socket.create_connection(tcp.getsockname(), 20) as caller:
        done = subprocess.run(
            [*wrapper, sys.executable, "-c", CHILD, imported],
            cwd=Path(__file__).parents[2],
            pass_fds=numbers,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == ""
        assert caller.recv(10) == b"served"
    said, children = done.stdout.splitlines()
    own, again = json.loads(said)
    assert own == [
        ["echo", "tcp", 3, list(tcp.getsockname())],
        ["echo-udp", "udp", 4, list(udp.getsockname())],
    ]
    assert again == []
    assert children == "[]"


def test_the_environment_of_the_start_adds_nothing_where_nothing_was_inherited() -> None:
    environ = {"HOME": "/"}
    assert start_environment(environ) == {"HOME": "/"}
