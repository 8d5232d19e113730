"""SIGHUP: new settings are taken over without dropping anybody, or not at all."""

from __future__ import annotations

import signal
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from socketsuite.testing import Daemon, read_line
from tests.daemons.conftest import Start
from tests.support.stranger import package


@pytest.fixture
def reload(launch: Start, tmp_path: Path) -> Callable[..., tuple[Daemon, Callable[[str], int]]]:
    """Start rot13 from a file; return it, and what rewrites the file and sends SIGHUP."""

    def start(text: str) -> tuple[Daemon, Callable[[str], int]]:
        file = tmp_path / "rot13.toml"
        file.write_text(text)
        daemon = launch("acme-rot13", "--config", str(file)).wait_until_ready()

        def again(new: str) -> int:
            """Return the number of log lines there were before."""
            before = len(daemon.lines)
            file.write_text(new)
            daemon.send_signal(signal.SIGHUP)
            daemon.wait_for_line(r"socketsuite reloaded|reload refused", before)
            return before

        return daemon, again

    return start


LATE = "needs a restart to take effect: "
Reload = Callable[[str], tuple[Daemon, Callable[[str], int]]]


def test_a_limit_changes_without_dropping_a_connection(reload: Reload) -> None:
    daemon, again = reload("port = 0\n")
    with daemon.connect() as old:
        old.sendall(b"a\n")
        assert read_line(old) == b"n\n"
        again("port = 0\nmax-connections = 1\n")
        with daemon.connect() as refused:
            assert refused.recv(1) == b""
        old.sendall(b"b\n")
        assert read_line(old) == b"o\n"
        again("port = 0\nmax-connections = 2\n")
        with daemon.connect() as admitted:
            admitted.sendall(b"c\n")
            assert read_line(admitted) == b"p\n"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("port = 0\nmax-conections = 1\n", "unknown key 'max-conections'"),
        ("port = 0\nidle-timeout = 'soon'\n", "idle-timeout = 'soon'"),
        ("port = \n", "is not valid TOML"),
        ("port = 0\ntls-cert = '/no/such/file'\n", "cannot read /no/such/file"),
    ],
)
def test_wrong_settings_are_refused_in_one_line_and_the_old_ones_stay(
    reload: Reload, wrong: str, words: str
) -> None:
    daemon, again = reload("port = 0\nmax-connections = 1\n")
    before = again(wrong)
    line = daemon.wait_for_line("reload refused, the old settings stay", before).string
    assert words in line
    with daemon.connect() as first, daemon.connect() as second:
        first.sendall(b"a\n")
        assert read_line(first) == b"n\n"
        assert second.recv(1) == b""
    daemon.stop()
    assert "Traceback" not in daemon.log


def test_what_cannot_change_while_running_is_named(reload: Reload) -> None:
    daemon, again = reload("port = 0\n")
    before = again("port = 0\nbacklog = 7\nrotate = 5\nsend-queue = 100000\n")
    line = daemon.wait_for_line("needs a restart to take effect", before).string
    assert line.endswith("backlog, send-queue, rotate")
    with daemon.connect() as caller:
        caller.sendall(b"a\n")
        assert read_line(caller) == b"n\n"


def test_what_the_process_cannot_change_while_running_is_named(reload: Reload) -> None:
    daemon, again = reload("port = 0\n")
    before = again("port = 0\nmetrics-port = 0\nlog-format = 'json'\nmax-connections = 1\n")
    line = daemon.wait_for_line("needs a restart to take effect", before).string
    assert line.endswith(
        " socketsuite warn needs a restart to take effect: log-format, metrics-port"
    )
    assert " reloaded" in daemon.log
    with daemon.connect() as caller, daemon.connect() as refused:
        caller.sendall(b"a\n")
        assert read_line(caller) == b"n\n"
        assert refused.recv(1) == b""


def test_the_suite_names_what_needs_a_restart_for_each_service_and_for_the_process(
    launch: Start, tmp_path: Path
) -> None:
    file = tmp_path / "all.toml"
    file.write_text("[chat]\nport = 0\n[rot13]\nservice = 'acme-rot13'\nport = 0\n")
    daemon = launch("socketsuite", "--config", "all.toml").wait_until_ready()
    before = len(daemon.lines)
    file.write_text(
        "metrics-port = 0\n[rot13]\nservice = 'acme-rot13'\nport = 0\nrotate = 1\n"
        "max-connections = 1\n[echo]\nport = 0\n"
    )
    daemon.send_signal(signal.SIGHUP)
    daemon.wait_for_line(" reloaded", before)
    told = [line.partition("Z ")[2] for line in daemon.lines[before:]]
    assert told == [
        f"socketsuite warn {LATE}metrics-port, socketsuite-echo (new), socketsuite-chat (removed)",
        f"rot13 warn {LATE}rotate",
        "socketsuite reloaded",
    ]
    port = int(daemon.wait_for_line(r" rot13 listening .* address=127.0.0.1 port=(\d+)")[1])
    with daemon.connect(port=port) as caller, daemon.connect(port=port) as refused:
        caller.sendall(b"a\n")
        assert read_line(caller) == b"n\n"
        assert refused.recv(1) == b""


def test_a_table_that_has_become_another_service_needs_a_restart(
    launch: Start, tmp_path: Path
) -> None:
    file = tmp_path / "all.toml"
    file.write_text("[one]\nservice = 'chat'\nport = 0\n")
    daemon = launch("socketsuite", "--config", "all.toml").wait_until_ready()
    file.write_text("[one]\nservice = 'echo'\nport = 0\n")
    daemon.send_signal(signal.SIGHUP)
    line = daemon.wait_for_line("needs a restart to take effect: ").string
    assert line.endswith(" one warn needs a restart to take effect: service")


def test_a_renewed_certificate_is_for_the_next_connection(reload: Reload, tmp_path: Path) -> None:
    authority = trustme.CA()
    paths = {}
    for name in ("localhost", "renewed.example"):
        paths[name] = tmp_path / f"{name}.pem"
        authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(paths[name]))
    text = "port = 0\ntls-cert = '{}'\n"
    daemon, again = reload(text.format(paths["localhost"]))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    port = daemon.port("tls")
    with context.wrap_socket(daemon.connect(port=port), server_hostname="localhost") as old:
        again(text.format(paths["renewed.example"]))
        with pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(daemon.connect(port=port), server_hostname="localhost")
        new = context.wrap_socket(daemon.connect(port=port), server_hostname="renewed.example")
        for caller in (old, new):
            caller.sendall(b"a\n")
            assert caller.recv(2) == b"n\n"
        new.close()


def test_the_configuration_can_be_checked_without_a_start(launch: Start, tmp_path: Path) -> None:
    file = tmp_path / "rot13.toml"
    file.write_text("port = 9100\n")
    good = launch("acme-rot13", "--config", str(file), "--check-config")
    assert good.wait() == 0
    assert "the configuration is valid" in good.log
    bad = launch("acme-rot13", "--check-config", "--tls-cert", "/no/such/file")
    assert bad.wait() == 1
    assert (
        bad.errors
        == "acme-rot13: cannot read /no/such/file (--tls-cert): no such file or directory\n"
    )
    ill = launch("acme-rot13", "--check-config", "--rotate", "99")
    assert ill.wait() == 2


OWN = """
from dataclasses import dataclass
from pathlib import Path

from twisted.internet.protocol import Protocol, ServerFactory

from socketsuite.settings import SettingsError, setting


class Says(Protocol):
    def dataReceived(self, data):
        self.transport.write(f"{self.factory.word} {self.factory.told}\\n".encode())


@dataclass(eq=False)
class Factory(ServerFactory):
    protocol = Says
    path: Path | None = setting(None, "a file")
    word: str = setting("first", "what is said", reload=True)
    fixed: int = setting(1, "what is not said")
    told = ()

    def settings_reloaded(self, changed):
        if self.word == "bad":
            raise ZeroDivisionError
        self.told = tuple(sorted(changed))

    def reload_service(self):
        if self.path is not None:
            read = self.path.read_text()
            if not read:
                raise SettingsError("it is empty")
            self.word = read + str(1 / (read != "0"))


factory = Factory
"""


def test_a_services_own_setting_changes_where_it_says_so(launch: Start, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    env = package(tmp_path, OWN)
    file.write_text("port = 0\n")
    daemon = launch("acme-service", "--config", str(file), env=env).wait_until_ready()

    def again(text: str) -> int:
        before = len(daemon.lines)
        file.write_text("port = 0\n" + text)
        daemon.send_signal(signal.SIGHUP)
        daemon.wait_for_line("socketsuite reloaded", before)
        return before

    with daemon.connect() as caller:

        def said() -> bytes:
            caller.sendall(b"?")
            return read_line(caller)

        assert said() == b"first ()\n"
        before = again("word = 'second'\nfixed = 2\n")
        daemon.wait_for_line("needs a restart to take effect: fixed$", before)
        assert said() == b"second ('word',)\n"
        again("word = 'second'\n")
        assert said() == b"second ('word',)\n"
        again("word = 'bad'\n")
        daemon.wait_for_line("settings_reloaded\\(\\) raised")
        assert said() == b"bad ('word',)\n"
    assert daemon.stop() == 0


def test_a_file_that_a_service_reads_is_read_again_though_no_setting_changes(
    launch: Start, tmp_path: Path
) -> None:
    (tmp_path / "word").write_text("old")
    words = ("--port", "0", "--path", str(tmp_path / "word"))
    daemon = launch("acme-service", *words, env=package(tmp_path, OWN)).wait_until_ready()

    def again(content: str | None) -> list[str]:
        """Return what the log says of it."""
        before = len(daemon.lines)
        (tmp_path / "word").unlink()
        if content is not None:
            (tmp_path / "word").write_text(content)
        daemon.send_signal(signal.SIGHUP)
        daemon.wait_for_line("socketsuite reloaded", before)
        return [line for line in daemon.lines[before:] if "acme-service: " in line]

    with daemon.connect() as caller:

        def said() -> bytes:
            caller.sendall(b"?")
            return read_line(caller)

        assert said() == b"first ()\n"
        assert (again("new"), said()) == ([], b"new1.0 ()\n")
        kept = "acme-service: {}; what was read before stays"
        (line,) = again("")
        assert line.endswith(kept.format("it is empty"))
        (tmp_path / "word").write_text("")
        (line,) = again(None)
        assert line.endswith(kept.format(f"{tmp_path / 'word'}: no such file or directory"))
        (tmp_path / "word").write_text("")
        assert "acme-service: reload_service() raised" in again("0")[0]
        assert said() == b"new1.0 ()\n"
