"""The command line itself: help, version, usage errors, speed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.conftest import Client

COMMANDS = [
    *("accumulate", "admin", "chat", "connect", "password", "ports", "probe", "send", "status"),
    "udp",
    "verify",
]


def test_help_lists_every_command_and_no_other(client: Client) -> None:
    text = client("--help").stdout.decode()
    listed = [
        line.split()[0] for line in text.partition("Commands:\n")[2].split("\n\n")[0].splitlines()
    ]
    assert listed == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_examples_and_every_exit_status(client: Client, command: str) -> None:
    done = client(command, "--help")
    text = done.stdout.decode()
    assert done.returncode == 0
    assert "  Examples:\n    " in text
    statuses = text.partition("Exit status:\n")[2].split("\n")
    assert [line.split()[0] for line in statuses if line] == ["0", "1", "2", "130", "143"]


def test_version_is_the_package_s(client: Client) -> None:
    from socketsuite import __version__

    assert client("--version").stdout.decode() == f"socketsuite, version {__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["chat", "--help"], ["connect", "--help"]])
def test_help_imports_neither_twisted_nor_rich(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from socketsuite.cli.command import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'twisted', 'rich', 'OpenSSL', 'psutil', 'prompt_toolkit'} & set(sys.modules)\n"
        "sys.exit(','.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("command", "arguments", "complaint"),
    [
        ("", "frob", "No such command 'frob'."),
        ("connect", "localhost 99999", "'99999' is not a port (1-65535), nor a"),
        ("connect", "localhost 1 2", "Got an unexpected argument: 2."),
        ("connect", "--unix /x localhost", "Give --unix PATH or HOST PORT, not both."),
        (
            "connect",
            "--timeout 0 localhost",
            "Invalid value for '--timeout': '0' is not valid; allowed: seconds, or a",
        ),
        ("connect", "--timeout 5x localhost", "Invalid value for '--timeout': '5x' is not valid;"),
        ("connect", "--timeout 367d localhost", "Invalid value for '--timeout': '367d' is not"),
        ("connect", "--timeout nan localhost", "Invalid value for '--timeout': 'nan' is not"),
        ("udp", "--wait -1s localhost", "Invalid value for '--wait': '-1s' is not valid;"),
        ("status", "--watch 0ms", "Invalid value for '--watch': '0ms' is not valid;"),
        ("probe", "localhost", "Give HOST and at least one PORT."),
        ("probe", "localhost 9-8", "'9-8' is an empty range."),
        ("udp", "--bind x localhost", "Invalid value for '--bind': give ADDR:PORT"),
    ],
)
def test_a_usage_error_is_one_line_and_status_2(
    client: Client, command: str, arguments: str, complaint: str
) -> None:
    path = f"socketsuite {command}".rstrip()
    done = client(*command.split(), *arguments.split())
    line = done.stderr.decode()
    assert (done.returncode, done.stdout, line.count("\n")) == (2, b"", 1)
    assert line.startswith(f"{path}: {complaint}")
    assert line.endswith(f" See '{path} --help'.\n")


def test_a_host_name_cannot_write_control_characters_to_the_terminal(client: Client) -> None:
    done = client("connect", "a\x1b[31mb", "9")
    assert done.returncode == 1
    assert done.stderr.startswith(b"No server at a^[[31mb 9: ")
