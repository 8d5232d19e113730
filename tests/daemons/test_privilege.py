"""A daemon that begins as root on port 7 and goes on as nobody, or has one capability only.

In a network of its own, where port 7 is nobody else's.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import ssl
import stat
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import trustme

from socketsuite.testing import Daemon, read_all, read_line
from tests.daemons.conftest import Start
from tests.daemons.own_network import IN_OWN_NETWORK, beside, skip_without_networks
from tests.support.admin import asked, page, until
from tests.support.outside import SECONDS
from tests.support.peers import program

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give its privilege away")

ETC = Path(__file__).parents[2] / "etc"
NET_BIND_SERVICE, DAC_READ_SEARCH = 10, 2  # linux/capability.h
AS_NOBODY = ("--uid", "nobody", "--gid", "nogroup")


@pytest.fixture(autouse=True)
def own_network() -> None:
    skip_without_networks()


@pytest.fixture
def nobody() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody can look into, and only root can write."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def owned(folder: Path, nobody: pwd.struct_passwd) -> Path:
    """A folder that is nobody's."""
    made = folder / "nobody's"
    made.mkdir()
    os.chown(made, nobody.pw_uid, nobody.pw_gid)
    return made


def is_served(daemon: Daemon, port: int = 7) -> None:
    """See that the echo answers on both transports of both families."""
    for host, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
        where = (host, port)
        with beside(daemon, partial(daemon.connect, *where)) as caller:
            caller.sendall(b"tcp\n")
            assert read_line(caller) == b"tcp\n"
        with beside(daemon, partial(socket.socket, family, socket.SOCK_DGRAM)) as caller:
            caller.settimeout(SECONDS)
            caller.sendto(b"udp", where)
            assert caller.recv(10) == b"udp"


def status_of(daemon: Daemon) -> list[dict[str, str]]:
    """Return what the kernel says of each of the daemon's threads."""
    tasks = Path(f"/proc/{daemon.process.pid}/task").glob("*/status")
    return [dict(re.findall(r"^(\w+):\t(.*)$", task.read_text(), re.M)) for task in tasks]


def is_nobody(daemon: Daemon, nobody: pwd.struct_passwd, capabilities: int = 0) -> None:
    """See that no thread of it has any other identity left, nor more than these capabilities."""
    threads = status_of(daemon)
    assert threads
    for thread in threads:
        assert thread["Uid"].split() == [str(nobody.pw_uid)] * 4
        assert thread["Gid"].split() == [str(nobody.pw_gid)] * 4
        assert set(thread["Groups"].split()) <= {str(nobody.pw_gid)}
        for key in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(thread[key], 16) == capabilities, key


def test_port_7_is_bound_as_root_and_served_as_nobody(
    launch: Start, owned: Path, nobody: pwd.struct_passwd
) -> None:
    log, admin, door = owned / "log", owned / "admin", owned / "door"
    admin_options = ("--log-to", str(log), "--admin", str(admin), "--metrics-port", "0")
    options = ("--port", "7", "--unix", str(door), *admin_options)
    daemon = launch(*AS_NOBODY, "socketsuite-echo", *options, before=IN_OWN_NETWORK)
    until(lambda: log.exists() and "ready" in log.read_text(), bool)
    is_nobody(daemon, nobody)
    is_served(daemon)
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(SECONDS)
        caller.connect(str(door))
        caller.sendall(b"unix\n")
        assert read_line(caller) == b"unix\n"
    assert asked(admin)["services"][0]["opened"] == 3
    assert stat.S_IMODE(admin.stat().st_mode) == 0o600
    log.rename(owned / "log.1")
    daemon.send_signal(signal.SIGHUP)
    until(lambda: log.exists() and "reloaded" in log.read_text(), bool)
    assert log.stat().st_uid == nobody.pw_uid
    is_served(daemon)
    assert daemon.stop() == 0
    assert "stopped" in log.read_text()
    assert sorted(path.name for path in owned.iterdir()) == ["log", "log.1"]
    assert "Traceback" not in log.read_text() + (owned / "log.1").read_text() + daemon.errors


def test_the_pages_answer_as_nobody(launch: Start, nobody: pwd.struct_passwd) -> None:
    options = ("--port", "7", "--metrics-port", "9")
    daemon = launch(
        *AS_NOBODY, "socketsuite-echo", *options, before=IN_OWN_NETWORK
    ).wait_until_ready()
    is_nobody(daemon, nobody)
    for path in ("/metrics", "/health"):
        status, _ = beside(daemon, partial(page, daemon, path))
        assert status == 200
    assert daemon.stop() == 0


def test_the_file_sink_writes_as_nobody(
    launch: Start, owned: Path, nobody: pwd.struct_passwd
) -> None:
    file = owned / "sink"
    arguments = ("socketsuite-filesink", "--port", "7", "--file", str(file))
    daemon = launch(*AS_NOBODY, *arguments, before=IN_OWN_NETWORK).wait_until_ready()
    with beside(daemon, partial(daemon.connect, port=7)) as caller:
        caller.sendall(b"all of it")
        caller.shutdown(socket.SHUT_WR)
        assert read_all(caller) == b""
    assert file.read_bytes() == b"all of it"
    assert file.stat().st_uid == nobody.pw_uid
    assert daemon.stop() == 0


def test_what_nobody_may_not_write_is_one_line_and_status_1(launch: Start, folder: Path) -> None:
    arguments = ("socketsuite-filesink", "--port", "7", "--file", str(folder / "sink"))
    daemon = launch(*AS_NOBODY, *arguments, before=IN_OWN_NETWORK)
    assert daemon.wait() == 1
    assert daemon.errors.count("\n") == 1
    assert f"cannot append to {folder}/sink: permission denied" in daemon.errors
    assert "listening" not in daemon.log
    assert "Traceback" not in daemon.log


def test_a_key_that_only_root_may_read_keeps_serving_and_a_reload_says_why_it_cannot(
    launch: Start, folder: Path, nobody: pwd.struct_passwd
) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(key)
    key.chmod(0o600)
    files = ("--tls-cert", str(certificate), "--tls-key", str(key))
    arguments = ("socketsuite-echo", "--port", "7", "--no-udp", *files)
    daemon = launch(*AS_NOBODY, *arguments, before=IN_OWN_NETWORK).wait_until_ready()
    is_nobody(daemon, nobody)
    daemon.send_signal(signal.SIGHUP)
    line = daemon.wait_for_line("reload refused, the old settings stay: ").string
    assert line.endswith(f"cannot read {key} (--tls-key): permission denied")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    plain = beside(daemon, partial(daemon.connect, port=7))
    with context.wrap_socket(plain, server_hostname="localhost") as caller:
        caller.sendall(b"hello\n")
        assert read_line(caller) == b"hello\n"
    assert daemon.stop() == 0


def unit_says(key: str) -> str:
    (value,) = re.findall(rf"^{key}=(.*)$", (ETC / "socketsuite-echo.service").read_text(), re.M)
    return str(value)


def everybody_may_read(path: Path) -> bool:
    real = path.resolve()
    return all(one.stat().st_mode & stat.S_IXOTH for one in (real, *real.parents))


def nobody_with(*capabilities: str) -> tuple[str, ...]:
    """Return what runs a command as nobody, as the unit would run it, with *capabilities*.

    Where the interpreter is in some person's folder, it needs one more to be read at all.
    """
    crutch = () if everybody_may_read(Path(sys.executable)) else ("dac_read_search",)
    only = ",".join(["-all", *(f"+{one}" for one in (*capabilities, *crutch))])
    names = ("--reuid", "nobody", "--regid", "nogroup", "--clear-groups")
    sets = (f"{option}={only}" for option in ("--inh-caps", "--ambient-caps", "--bounding-set"))
    return *IN_OWN_NETWORK, program("setpriv"), *names, "--no-new-privs", *sets


def test_the_units_one_capability_is_all_that_port_7_takes(
    launch: Start, nobody: pwd.struct_passwd
) -> None:
    name = unit_says("AmbientCapabilities")
    assert name == unit_says("CapabilityBoundingSet") == "CAP_NET_BIND_SERVICE"
    assert unit_says("NoNewPrivileges") == "yes"
    before = nobody_with(name.removeprefix("CAP_").lower())
    daemon = launch("socketsuite-echo", before=before).wait_until_ready()
    crutch = not everybody_may_read(Path(sys.executable))
    expected = 1 << NET_BIND_SERVICE | crutch << DAC_READ_SEARCH
    is_nobody(daemon, nobody, expected)
    for thread in status_of(daemon):
        assert int(thread["CapBnd"], 16) == expected
        assert thread["NoNewPrivs"] == "1"
    is_served(daemon)
    daemon.send_signal(signal.SIGHUP)
    daemon.wait_for_line("socketsuite reloaded")
    is_served(daemon)
    assert daemon.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("socketsuite-echo", "--unix", "{}/x"), "cannot listen on unix socket {}/x: permission"),
        (("socketsuite-echo", "--admin", "{}/x"), "cannot listen on unix socket {}/x: permission"),
        (("socketsuite-echo", "--log-to", "{}/x"), "cannot write the log to {}/x: permission"),
        (("socketsuite-filesink", "--file", "{}/x"), "cannot append to {}/x: permission denied"),
        (("socketsuite-echo", "--port", "7"), "port 7: permission denied"),
    ],
    ids=["unix", "admin", "log", "sink", "port"],
)
def test_what_a_daemon_without_privilege_may_not_have_is_one_line_and_status_1(
    launch: Start, folder: Path, arguments: tuple[str, ...], words: str
) -> None:
    free = () if "7" in arguments else ("--port", "0")
    said = [word.format(folder) for word in arguments]
    daemon = launch(*said, *free, before=nobody_with())
    assert daemon.wait() == 1
    assert daemon.errors.count("\n") == 1
    assert words.format(folder) in daemon.errors
    assert "Traceback" not in daemon.log
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("umask", ["0", "077"])
def test_files_are_as_closed_as_they_are_said_to_be_whatever_the_umask(
    launch: Start, folder: Path, umask: str
) -> None:
    names = ("sink", "log", "admin", "door")
    sink, log, admin, door = (str(folder / name) for name in names)
    options = ("--file", sink, "--log-to", log, "--admin", admin, "--unix", door)
    daemon = launch("--umask", umask, "socketsuite-filesink", *options)
    until(lambda: Path(log).exists() and "ready" in Path(log).read_text(), bool)
    modes = {name: stat.S_IMODE((folder / name).stat().st_mode) for name in names}
    # The log is open before twistd has set the mask.
    assert modes.pop("log") & ~0o640 == 0
    assert modes == {"sink": 0o640 & ~int(umask, 8), "admin": 0o600, "door": 0o660}
    assert daemon.stop() == 0


@pytest.fixture
def jail(folder: Path) -> Path:
    """A folder with as little as twistd and Twisted need when it is all there is."""
    for name in ("etc/passwd", "etc/group", "dev/null"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("")
    (folder / "etc/passwd").write_text("nobody:x:65534:65534::/:/bin/false\n")
    (folder / "etc/group").write_text("nogroup:x:65534:\n")
    return folder


def test_in_a_jail_everything_is_there_that_is_needed_only_later(
    launch: Start, jail: Path, nobody: pwd.struct_passwd
) -> None:
    options = ("--port", "7", "--metrics-port", "9", "--admin", "/admin")
    shut_in = ("--chroot", str(jail), *AS_NOBODY)
    daemon = launch(
        *shut_in, "socketsuite-echo", *options, before=IN_OWN_NETWORK
    ).wait_until_ready()
    is_nobody(daemon, nobody)
    is_served(daemon)
    status, text = beside(daemon, partial(page, daemon, "/metrics"))
    assert status == 200
    assert "socketsuite_received_bytes_total" in text
    assert asked(jail / "admin")["services"][0]["opened"] == 2
    daemon.send_signal(signal.SIGHUP)
    daemon.wait_for_line("socketsuite reloaded")
    is_served(daemon)
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.log


def test_in_a_jail_a_file_is_watched_by_inotify(launch: Start, jail: Path) -> None:
    arguments = ("socketsuite-watch", "--file", "/target", "--port", "7")
    daemon = launch("--chroot", str(jail), *arguments, before=IN_OWN_NETWORK).wait_until_ready()
    with beside(daemon, partial(daemon.connect, port=7)) as subscriber:
        assert read_line(subscriber) == b"Now watching /target for changes...\n"
        (jail / "target").write_text("new\n")
        assert read_line(subscriber).startswith(b"File changed: /target (created)")
    assert "no inotify" not in daemon.log
    assert daemon.stop() == 0


def test_a_jail_without_dev_null_is_one_line_and_status_1(launch: Start, jail: Path) -> None:
    (jail / "dev/null").unlink()
    daemon = launch("--chroot", str(jail), "socketsuite-echo", "--port", "7", before=IN_OWN_NETWORK)
    assert daemon.wait() == 1
    assert daemon.errors == "socketsuite-echo: /dev/null: no such file or directory\n"
    assert "Traceback" not in daemon.log


def test_a_log_that_nobody_may_open_anew_goes_on_where_it_was_and_says_so(
    launch: Start, folder: Path
) -> None:
    log, old = folder / "log", folder / "log.1"
    arguments = ("socketsuite-echo", "--port", "7", "--log-to", str(log))
    daemon = launch(*AS_NOBODY, *arguments, before=IN_OWN_NETWORK)
    until(lambda: log.exists() and " ready" in log.read_text(), bool)
    log.rename(old)
    daemon.send_signal(signal.SIGHUP)
    told = until(old.read_text, lambda text: " reloaded" in text)
    assert f"cannot open the log {log} anew, the old file is still written: permission" in told
    is_served(daemon)
    assert daemon.stop() == 0
