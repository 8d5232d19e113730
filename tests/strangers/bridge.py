"""A plain TCP port that leads to a listener of another kind, for clients that know TCP alone.

What stunnel, socat or HAProxy would do.  It holds little, so that a slow reader is one for the
daemon too, and passes each end on.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.strangers.subject import Listener

_CHUNK = 1 << 16


@contextlib.contextmanager
def bridged(listener: Listener) -> Iterator[int]:
    """Return a port of 127.0.0.1 whose connections end at *listener*."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    bridge = _Bridge(listener)
    try:
        yield asyncio.run_coroutine_threadsafe(bridge.open(), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(bridge.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Bridge:
    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> int:
        self._server = await asyncio.start_server(self._cross, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _cross(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        far: asyncio.StreamWriter | None = None
        near_socket = back.get_extra_info("socket")
        near_socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _CHUNK)
        try:
            answers, far = await self._dial(back.get_extra_info("peername")[1])
            await asyncio.gather(_pump(near, far), _pump(answers, back))
        except (OSError, asyncio.CancelledError):
            pass  # each side learns of it by its own connection's end
        finally:
            for end in (back, far):
                if end is not None:
                    end.close()
            self._tasks.discard(task)

    async def _dial(self, caller: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        listener, loop = self._listener, asyncio.get_running_loop()
        unix = listener.kind == "unix"
        far = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _CHUNK)
        far.setblocking(False)
        await loop.sock_connect(far, str(listener.path) if unix else ("127.0.0.1", listener.port))
        if listener.kind == "tls":
            return await asyncio.open_connection(
                sock=far, ssl=listener.trust(), server_hostname="127.0.0.1"
            )
        made = await asyncio.open_connection(sock=far)
        if listener.kind == "proxy":
            made[1].write(listener.header(caller))
        return made


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(_CHUNK):
        target.write(data)
        await target.drain()
    if target.can_write_eof():
        target.write_eof()
    else:
        target.close()  # TLS: its end is that of both directions here
