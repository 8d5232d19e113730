"""What a daemon's ``--help`` and ``--help-all`` show, as the real twistd prints them."""

from __future__ import annotations

import functools
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from socketsuite.daemon.config.flags import MOST_USED
from socketsuite.daemon.config.groups import groups_of
from socketsuite.service import installed_services, speaks_datagrams
from socketsuite.settings import Setting

TWISTD = Path(sys.executable).with_name("twistd")
SECONDS = 30


@functools.cache
def shown(*arguments: str) -> str:
    """Return what twistd prints."""
    done = subprocess.run([TWISTD, *arguments], capture_output=True, timeout=SECONDS, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def flags(text: str) -> set[str]:
    """Return the flags that a help text lists, those that turn a switch off aside."""
    return set(re.findall(r"^  (--[a-z-]+)", text, re.M))


def settings(name: str, *, own: bool = False) -> list[Setting]:
    groups = groups_of(installed_services()[name])
    return [item for group in groups for item in group.settings if group.of_service or not own]


GENERAL = {"--config", "--check-config", "--version", "--help-all"}


@pytest.mark.parametrize("name", ["socketsuite-chat", "socketsuite-filesink", "acme-rot13"])
def test_help_has_the_services_own_settings_and_those_most_used(name: str) -> None:
    used = {item.flag for item in settings(name) if item.name in MOST_USED}
    own = {item.flag for item in settings(name, own=True)}
    assert own
    assert flags(shown(name, "--help")) == own | used | GENERAL
    assert flags(shown(name, "-h")) == own | used | GENERAL


@pytest.mark.parametrize("name", ["socketsuite-chat", "socketsuite-echo", "acme-rot13"])
def test_help_all_has_every_setting_and_help_says_how_many(name: str) -> None:
    every = {item.flag for item in settings(name)}
    assert flags(shown(name, "--help-all")) == every | GENERAL
    assert f"--help-all has all {len(every)} settings" in shown(name, "--help")
    of_the_daemon = every - {item.flag for item in settings(name, own=True)}
    assert len(flags(shown(name, "--help")) & of_the_daemon) < len(of_the_daemon) / 2


def test_every_setting_most_used_is_one() -> None:
    names = {item.name for item in settings("socketsuite-echo")}
    assert set(MOST_USED) <= names


def test_only_services_that_speak_udp_have_settings_of_udp() -> None:
    kinds = set()
    for name, plugin in installed_services().items():
        speaks = speaks_datagrams(plugin)
        kinds.add(speaks)
        keys = {item.key for item in settings(name)}
        wanted = {"udp", "udp-rate", "udp-source-ports", "join-group", "ttl", "broadcast"}
        assert keys & wanted == (set() if speaks is False else wanted), name
    assert kinds >= {True, False}


def test_help_on_a_terminal_has_no_colour_whatever_is_wished() -> None:
    for wish in ({"NO_COLOR": "1"}, {}):
        ours, theirs = pty.openpty()
        with open(ours, "rb", buffering=0) as terminal:
            environ = {**os.environ, "TERM": "xterm-256color", **wish}
            with subprocess.Popen(
                [TWISTD, "acme-rot13", "--help"], stdout=theirs, env=environ
            ) as process:
                os.close(theirs)
                text = b""
                try:
                    while chunk := terminal.read(1 << 16):
                        text += chunk
                except OSError:  # how the end of a terminal reads on Linux
                    pass
                assert process.wait(SECONDS) == 0
        assert b"--rotate" in text
        assert b"\x1b" not in text
