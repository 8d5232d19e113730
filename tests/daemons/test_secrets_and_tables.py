"""Secrets and nested tables of a service's own, in real daemons: read, reloaded, shown nowhere."""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from socketsuite.testing import Daemon, read_line
from tests.daemons.conftest import Start
from tests.support.outside import SECONDS

SERVICE = """
from socketsuite.settings import settings_table

class Color(enum.Enum):
    DARK_RED = 1
    BLUE = 2

@dataclass(eq=False)
class Upstream:
    host: str = setting("127.0.0.1", "where it is")
    port: int = setting(9000, "its port", minimum=1, maximum=65535, reload=True)
    token: str | None = setting(None, "what it asks for", secret=True, reload=True)
    colors: list[Color] = setting([Color.BLUE], "what it shows")

class Says(Protocol):
    def dataReceived(self, data):
        one, up = self.factory, self.factory.upstream
        colors = [color.name for color in up.colors]
        said = [one.token, up.host, up.port, up.token, colors, one.words, one.told]
        self.transport.write(repr(said).encode() + b"\\n")

@dataclass(eq=False)
class make(ServerFactory):
    protocol = Says
    upstream: Upstream = settings_table("the server behind")
    token: str = setting("hunter2-default", "what callers say", secret=True, reload=True)
    code: int = setting(7, "a number", secret=True, parse=int)
    words: tuple[str, ...] = setting(())
    told = ()

    def startFactory(self):
        print("started", self, self.upstream)

    def settings_reloaded(self, changed):
        self.told = sorted(changed)
"""
SECRET = "hunter2"  # every secret here begins with it
VARIABLE = "ACME_ODD_TOKEN_FILE"


def said(daemon: Daemon, port: int | None = None) -> list[Any]:
    """Return what the service has: its settings, and what a reload told it."""
    with daemon.connect(port=port) as caller:
        caller.sendall(b"?")
        found: list[Any] = ast.literal_eval(read_line(caller).decode())
        return found


def ended(daemon: Daemon) -> str:
    """Return everything that a daemon wrote which does not go on running."""
    daemon.wait()
    return daemon.log + daemon.errors


def test_secrets_and_tables_are_read_and_reloaded_and_no_secret_is_ever_shown(
    stranger: Start, tmp_path: Path
) -> None:
    file, toml = tmp_path / "token", tmp_path / "odd.toml"
    file.write_text(f"{SECRET}-first\n")
    file.chmod(0o444)
    text = (
        f'port = 0\n[upstream]\nport = %d\ntoken = "{SECRET}-%s"\ncolors = ["dark-red", "blue"]\n'
    )
    toml.write_text(text % (1, "a"))
    daemon = stranger(
        SERVICE,
        *("--config", str(toml), "--upstream-host", "flag", "--metrics-port", "0"),
        *("--admin", "admin"),
        **{VARIABLE: str(file), "ACME_ODD_WORDS": "x, y", "ACME_ODD_UPSTREAM_HOST": "variable"},
    ).wait_until_ready()
    colors, words = ["DARK_RED", "BLUE"], ("x", "y")
    first = [f"{SECRET}-first", "flag", 1, f"{SECRET}-a", colors, words]
    assert said(daemon) == [*first, ()]
    notice = f"every user of this machine can read {file} ({VARIABLE}), a secret; chmod o-r it"
    assert notice in daemon.log

    def reload() -> str:
        before = len(daemon.lines)
        daemon.send_signal(signal.SIGHUP)
        return daemon.wait_for_line("socketsuite reloaded.*|reload refused.*", before)[0]

    # The secret's file alone has changed, then what TOML says, then neither can be used.
    file.chmod(0o600)
    file.write_text(f"{SECRET}-second\n")
    assert reload() == "socketsuite reloaded"
    assert said(daemon) == [f"{SECRET}-second", *first[1:], ["token"]]
    toml.write_text(text % (2, "b"))
    assert reload() == "socketsuite reloaded"
    second = [f"{SECRET}-second", "flag", 2, f"{SECRET}-b", colors, words]
    assert said(daemon) == [*second, ["upstream_port", "upstream_token"]]
    toml.write_text(f"port = 0\ncode = '{SECRET}'\n")
    ill = f'code ({toml}, key "code") is not valid; allowed: a whole number'
    assert reload() == f"reload refused, the old settings stay: {ill}"
    toml.write_text(text % (3, "c"))
    file.write_text("")
    empty = f"cannot read {file} ({VARIABLE}): it is empty"
    assert reload() == f"reload refused, the old settings stay: {empty}"
    assert said(daemon) == [*second, ["upstream_port", "upstream_token"]]

    status = subprocess.run(
        [sys.executable, "-m", "socketsuite.cli", "status", "--json", "--admin", "admin"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert '"name": "acme-odd"' in status.stdout
    pages = daemon.page("/metrics")[1] + daemon.page("/health")[1]
    assert daemon.stop() == 0
    assert "started make(upstream=Upstream(host='flag'" in daemon.log
    assert SECRET not in status.stdout + status.stderr + pages + daemon.log + daemon.errors


def test_what_is_wrong_with_a_secret_is_one_line_and_no_text_shows_it(
    stranger: Start, tmp_path: Path
) -> None:
    values = {"ACME_ODD_TOKEN": f"{SECRET}-variable", "ACME_ODD_UPSTREAM_TOKEN": SECRET}
    (tmp_path / "token").write_text(f"{SECRET}\0")
    wanted = {
        ("--help-all",): (0, "--upstream-token-file FILE"),
        ("--check-config", "--token-file", "none"): (
            1,
            "acme-odd: cannot read none (--token-file): no such file or directory\n",
        ),
        ("--check-config", "--token-file", "token"): (
            1,
            "acme-odd: cannot read token (--token-file): it has a zero byte\n",
        ),
        ("--check-config", "--code", SECRET): (
            2,
            "acme-odd: code (--code) is not valid; allowed: a whole number; see ",
        ),
    }
    started = {arguments: stranger(SERVICE, *arguments, **values) for arguments in wanted}
    for arguments, (status, words) in wanted.items():
        written = ended(started[arguments])
        assert started[arguments].process.returncode == status
        assert words in written
        assert SECRET not in written
    both = stranger(SERVICE, **values, **{VARIABLE: "token"})
    assert ended(both) == (
        f"acme-odd: token is said twice (ACME_ODD_TOKEN; {VARIABLE}); see twistd acme-odd --help\n"
    )


def test_the_suites_file_has_a_table_in_the_table_of_each_service(
    launch: Start, stranger: Start, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(f"{SECRET}\n")
    (tmp_path / "token").chmod(0o600)
    (tmp_path / "all.toml").write_text(
        "[acme-odd]\nport = 0\n[acme-odd.upstream]\nhost = 'one'\ntoken-file = 'token'\n"
        "[other]\nservice = 'acme-odd'\nport = 0\nupstream-host = 'two'\ntoken = 'hunter2-other'\n"
        "[other.upstream]\ncolors = 'dark-red'\n"
    )
    stranger(SERVICE, "--help").wait()  # which writes the package, too
    env = {"PYTHONPATH": str(tmp_path)}
    daemon = launch("socketsuite", "--config", "all.toml", env=env).wait_until_ready()
    ports = [
        int(daemon.wait_for_line(rf" {name} listening .* address=127.0.0.1 port=(\d+)")[1])
        for name in ("acme-odd", "other")
    ]
    one, two = (said(daemon, port) for port in ports)
    assert one == ["hunter2-default", "one", 9000, SECRET, ["BLUE"], (), ()]
    assert two == ["hunter2-other", "two", 9000, None, ["DARK_RED"], (), ()]
    assert daemon.stop() == 0
    assert SECRET not in daemon.log + daemon.errors
