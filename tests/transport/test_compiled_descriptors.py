"""Where the compiled burst finds a socket's descriptor: in the object, or, in doubt, by asking."""

from __future__ import annotations

import subprocess
import sys

import pytest

from socketsuite.transport import compiled

pytestmark = pytest.mark.skipif(not compiled.AVAILABLE, reason="the burst is not compiled here")

ECHO = """
import socket, sys
from pathlib import Path

def refuse(*_, **__):
    raise OSError("no sockets now")

make = socket.socket.__init__
if sys.argv[1] == "refused":
    socket.socket.__init__ = refuse
from socketsuite.transport import compiled
socket.socket.__init__ = make
assert compiled.AVAILABLE

from tests.support.served_port import served_port
from twisted.protocols.wire import Echo

asked = []
def fileno(self):
    asked.append(self)
    return super(socket.socket, self).fileno()

with served_port("tcp", Path(sys.argv[2]), Echo) as served:
    caller, protocol = served.connect()
    socket.socket.fileno = fileno
    for number in range(20):
        caller.sendall(b"hello")
        got = b""
        def there():
            global got
            try:
                got += caller.recv(100)
            except BlockingIOError:
                pass
            return got == b"hello"
        served.until(there)
    own = protocol.transport.socket
    print(sum(one is own for one in asked))
    del socket.socket.fileno
"""


@pytest.mark.parametrize(("at_the_start", "asked"), [("made", 0), ("refused", 40)])
def test_sockets_are_asked_where_it_could_not_be_seen_at_the_start(
    tmp_path: object, at_the_start: str, asked: int
) -> None:
    command = [sys.executable, "-c", ECHO, at_the_start, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.stdout, ran.stderr) == (f"{asked}\n", "")
