"""A daemon started with sockets, as systemd does it."""

from __future__ import annotations

import sys

# Opens what it is told to at 3, 4, …, and becomes the daemon, as systemd does it.
ACTIVATE = """
import os, socket, sys
names, wanted, *command = sys.argv[1:]
made = []
for word in wanted.split(","):
    kind, _, where = word.partition("=")
    if kind == "unix":
        one = socket.socket(socket.AF_UNIX)
        one.bind(where)
    else:
        one = socket.socket(type=socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", int(where)))
    if kind != "udp":
        one.listen()
    made.append(one.detach())
for number, one in enumerate(made):
    if one != 3 + number:
        os.dup2(one, 3 + number)
    os.set_inheritable(3 + number, True)
os.environ.update(
    LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(made)), LISTEN_FDNAMES=names
)
os.execv(command[0], command)
"""


def activated(names: str, wanted: str) -> tuple[str, ...]:
    return sys.executable, "-c", ACTIVATE, names, wanted
