"""The IRC servers that ours is compared with: how each is configured and started.

Loopback only, nobody is looked up, nobody is too many or too fast; all else is their default.  This
module must not know what is done to them.
"""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

_NGIRCD = """\
[Global]
    Name = irc.bench.invalid
    Info = bench
    AdminInfo1 = bench
    Listen = 127.0.0.1
    Ports = {port}
[Limits]
    MaxConnections = 0
    MaxConnectionsIP = 0
    MaxJoins = 0
    MaxNickLength = 30
    MaxPenaltyTime = 0
[Options]
    DNS = no
    Ident = no
    PAM = no
"""

# Where a threshold is 0, its own default holds; so it is a number that nobody reaches.
_INSPIRCD = """\
<server name="irc.bench.invalid" description="bench" network="bench">
<admin name="bench" nick="bench" email="bench@bench.invalid">
<bind address="127.0.0.1" port="{port}" type="clients">
<connect allow="*" timeout="60" limit="20000" localmax="20000" globalmax="20000"
    maxconnwarn="no" resolvehostnames="no" fakelag="no" threshold="1000000"
    commandrate="1000000" hardsendq="1048576" softsendq="262144" recvq="262144">
<performance softlimit="20000" somaxconn="512">
<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="{log}">
<module name="cap">
"""


def find_program(name: str) -> str | None:
    """Return the path of a server, which is not on everybody's PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _free_port() -> int:
    """Return a port that nobody has: neither server can be told to choose one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listening(port: int, *command: str) -> list[str]:
    """Return *command*, which does not say itself where it listens."""
    return ["sh", "-c", 'echo "listening $0"; exec "$@"', str(port), *command]


def ngircd(program: str, folder: Path) -> list[str]:
    """Configure ngircd in *folder* and return its command; as root it becomes nobody by itself."""
    path, port = folder / "ngircd.conf", _free_port()
    path.write_text(_NGIRCD.format(port=port))
    return _listening(port, program, "--nodaemon", "--config", str(path))


def inspircd(program: str, folder: Path) -> list[str]:
    """Configure InspIRCd in *folder* and return its command; it stays whoever starts it."""
    path, port = folder / "inspircd.conf", _free_port()
    path.write_text(_INSPIRCD.format(port=port, log=folder / "inspircd-own.log"))
    return _listening(port, program, "--config", str(path), "--nofork", "--nopid", "--runasroot")
