"""The chat's files of accounts, on a real daemon: refused at the start, read again on reload."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from tests.daemons.conftest import Start
from tests.support.accounts import account


def test_accounts_are_for_the_daemon_alone_and_read_again_on_reload(
    launch: Start, tmp_path: Path
) -> None:
    accounts, operators = tmp_path / "accounts", tmp_path / "operators"
    alice, root = account("alice", "pencil"), account("root", "paper")
    accounts.write_text(f"# us\n{alice}")
    operators.write_text(root)
    operators.chmod(0o640)
    words = ("--port", "0", "--accounts", str(accounts), "--operators", str(operators))

    accounts.chmod(0o644)
    refused = launch("socketsuite-chat", *words)
    assert refused.wait() == 1
    why = f"cannot use {accounts}: others can read or write it (mode 0644); chmod g-w,o= it"
    assert refused.errors == f"socketsuite-chat: {why}\n"

    accounts.chmod(0o600)
    daemon = launch("socketsuite-chat", "--metrics-port", "0", *words).wait_until_ready()

    def again() -> list[str]:
        """Return what the log complains of, and how many accounts there are then."""
        before = len(daemon.lines)
        daemon.send_signal(signal.SIGHUP)
        daemon.wait_for_line("socketsuite reloaded", before)
        complaints = re.findall(r"socketsuite-chat: (.*)", "\n".join(daemon.lines[before:]))
        return [*complaints, str(int(daemon.metrics()[FIGURE]))]

    assert again() == ["2"]
    accounts.write_text(f"{alice}bob:paper\n")
    kept = f"{accounts}, line 2: its hash is none of Argon2id, as 'socketsuite password' prints it"
    assert again() == [f"{kept}; what was read before stays", "2"]
    accounts.write_text(f"{alice}{alice.replace('alice', 'bob')}")
    assert again() == ["3"]
    accounts.unlink()
    gone = f"cannot use {accounts}: no such file or directory; what was read before stays"
    assert again() == [gone, "3"]
    assert daemon.stop() == 0
    assert "argon2id$" not in daemon.log


FIGURE = 'socketsuite_service_accounts{service="socketsuite-chat"}'
