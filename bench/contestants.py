"""The servers that are compared: which there are, and the command that starts each.

This module must not know what is done to them.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench import irc_peers

OURS = "ours"
_PEERS = Path(__file__).parent / "peers"
_PACKAGES = Path(__file__).parents[1] / "build" / "bench-npm"
_ENV = shutil.which("env") or "env"
_TWISTD = str(Path(sys.executable).parent / "twistd")

# By service, the twistd command that offers it, and the word its log has for the port.
SERVICES: Mapping[str, tuple[str, str]] = {
    "tcp-echo": ("socketsuite-echo", "tcp"),
    "udp-echo": ("socketsuite-echo", "udp"),
    "tls-echo": ("socketsuite-echo", "tls"),
    "chat": ("socketsuite-chat", "tcp"),
    "irc": ("socketsuite-chat", "tcp"),
    "websocket": ("socketsuite-chat", "tcp"),
    "socketio": ("socketsuite-chat", "tcp"),
    "accumulator": ("socketsuite-accumulator", "tcp"),
    "filesink": ("socketsuite-filesink", "tcp"),
}

# Those that a plain program of some dozen lines is written for.
PLAIN = frozenset(SERVICES) - {"irc", "websocket", "socketio"}
_FRONTENDS = {"irc": "irc", "websocket": "web", "socketio": "web"}


@dataclass(frozen=True)
class Files:
    """The files a server may need; ``sink`` is this server's own.

    :ivar authority: who signed the certificate.
    """

    authority: Path
    certificate: Path
    key: Path
    sink: Path


@dataclass(frozen=True)
class Contestant:
    """A server program.

    :ivar command: gives the command line for a service.
    :ivar listening: gives the pattern, for a service, that finds the port in its output.
    :ivar ready: what its output holds once it can be used.
    :ivar services: those it offers.
    """

    name: str
    label: str
    command: Callable[[str, Files], list[str]]
    listening: Callable[[str], str] = lambda service: r"^listening (\d+)$"
    ready: str = "listening"
    services: frozenset[str] = PLAIN


def _file_options(service: str, files: Files) -> list[str]:
    if service == "tls-echo":
        return ["--cert", str(files.certificate), "--key", str(files.key)]
    return ["--file", str(files.sink)] if service == "filesink" else []


def _ours(
    name: str, label: str, *flags: str, services: frozenset[str] = frozenset(SERVICES)
) -> Contestant:
    def command(service: str, files: Files) -> list[str]:
        options = _file_options(service, files)
        options = [
            word.replace("--cert", "--tls-cert").replace("--key", "--tls-key") for word in options
        ]
        if service == "udp-echo":
            # The one default that is not measured: a budget of 1,000 datagrams a second and
            # host would be all that a load from one host could see.
            options += ["--udp-rate", "0"]
        if service in _FRONTENDS:
            options += [f"--{_FRONTENDS[service]}-port", "0"]
        plugin, _ = SERVICES[service]
        return [_TWISTD, "-n", "--pidfile=", plugin, "--port", "0", *flags, *options]

    def listening(service: str) -> str:
        found = rf"listening transport={SERVICES[service][1]} address=127\.0\.0\.1 port=(\d+)"
        return f"{found}.* frontend={_FRONTENDS[service]}" if service in _FRONTENDS else found

    return Contestant(name, label, command, listening, ready="ready, pid", services=services)


def _without_ring(one: Contestant) -> Contestant:
    def command(service: str, files: Files) -> list[str]:
        return [_ENV, "SOCKETSUITE_NO_IO_URING=1", *one.command(service, files)]

    return replace(one, command=command)


def _program(
    name: str, label: str, *words: str, services: frozenset[str] | None = None
) -> Contestant:
    def command(service: str, files: Files) -> list[str]:
        return [words[0], *words[1:2], service, *words[2:], *_file_options(service, files)]

    return Contestant(name, label, command, services=services or PLAIN)


def contestants(c_echo: Path | None) -> tuple[list[Contestant], list[str]]:
    """Return those that can run here, ours first, and why others cannot.

    :param c_echo: the compiled echo, if it could be compiled.
    """
    found = [
        _ours(OURS, "socketsuite"),
        _ours("ours-pure", "ours, --transport burst-pure", "--transport", "burst-pure"),
        _without_ring(_ours("ours-without-ring", "ours, SOCKETSUITE_NO_IO_URING=1")),
        _ours("ours-quiet", "ours, --log-connections off", "--log-connections", "off"),
        _ours(
            "ours-twisted", "ours, --transport twisted", "--transport", "twisted", services=PLAIN
        ),
        _program("twisted", "stock Twisted", sys.executable, str(_PEERS / "twisted_server.py")),
    ]
    # What our transport costs without the daemon, and what Python itself does.
    echo = frozenset({"tcp-echo"})
    for name, label, script in (
        ("accelerated", "accelerate() alone", "accelerated_server.py"),
        ("bare", "bare Python loop", "bare_loop.py"),
    ):
        found.append(_program(name, label, sys.executable, str(_PEERS / script), services=echo))
    missing = []
    asyncio_server = str(_PEERS / "asyncio_server.py")
    found.append(_program("asyncio", "asyncio", sys.executable, asyncio_server))
    if importlib.util.find_spec("uvloop"):
        found.append(_program("uvloop", "uvloop", sys.executable, asyncio_server, "--uvloop"))
    else:
        missing.append("uvloop: it is not installed (pip install uvloop)")
    node = shutil.which("node")
    if node:
        found.append(_program("node", "Node", node, str(_PEERS / "node_server.js")))
    else:
        missing.append("Node: there is no node on the path")
    if c_echo:
        echoes = frozenset({"tcp-echo", "udp-echo", "chat"})
        found.append(_program("c", "C epoll", str(c_echo), services=echoes))
    else:
        missing.append("C epoll: there is no C compiler")
    for name, command, ready in (
        ("ngircd", irc_peers.ngircd, " ready."),
        ("inspircd", irc_peers.inspircd, "now running"),
    ):
        if program := irc_peers.find_program(name):
            found.append(_irc_server(name, partial(command, program), ready))
        else:
            missing.append(f"{name}: it is not installed (Debian: apt-get install {name})")
    web, lacking = _web_servers(node)
    return [*found, *web], [*missing, *lacking]


def _web_servers(node: str | None) -> tuple[list[Contestant], list[str]]:
    """Return the npm packages that speak what the chat's page does; no others do just that."""
    found, missing = [], []
    for name, service in (("ws", "websocket"), ("socket.io", "socketio")):
        if node and (_PACKAGES / "node_modules" / name).exists():
            script = str(_PEERS / "websocket_server.js")
            command = [node, script, service, str(_PACKAGES)]
            found.append(
                Contestant(name, name, partial(_same, command), services=frozenset({service}))
            )
        else:
            missing.append(f"{name}: it is not installed (tools/install-peers bench)")
    return found, missing


def _same(command: list[str], service: str, files: Files) -> list[str]:
    return command


def _irc_server(name: str, command: Callable[[Path], list[str]], ready: str) -> Contestant:
    return Contestant(
        name,
        name,
        lambda service, files: command(files.sink.parent),
        ready=ready,
        services=frozenset({"irc"}),
    )
