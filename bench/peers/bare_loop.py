"""An echo in a bare loop over epoll, recv and send: about the least that Python can do.

No protocols, no transports, nothing counted; a caller who does not read is dropped, which nobody
would do who serves more than a benchmark.

::

    python bare_loop.py tcp-echo

Prints ``listening PORT``.
"""

from __future__ import annotations

import select
import socket


def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=511)
    listening.setblocking(False)
    epoll = select.epoll()
    epoll.register(listening, select.EPOLLIN)
    callers: dict[int, socket.socket] = {}
    print(f"listening {listening.getsockname()[1]}", flush=True)
    while True:
        for descriptor, _ in epoll.poll(-1, 128):
            caller = callers.get(descriptor)
            if caller is None:
                made, _ = listening.accept()
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                made.setblocking(False)
                epoll.register(made, select.EPOLLIN)
                callers[made.fileno()] = made
                continue
            try:
                data = caller.recv(8192)
                if data and caller.send(data) == len(data):
                    continue
            except OSError:
                pass
            caller.close()
            del callers[descriptor]


if __name__ == "__main__":
    main()
