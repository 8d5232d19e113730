"""The same services in plain asyncio: a Protocol each, on asyncio's loop or on uvloop's.

::

    python asyncio_server.py SERVICE [--uvloop] [--cert FILE --key FILE] [--file FILE]

Prints ``listening PORT``.  This is how a good programmer writes them without the suite, so
it must not import the suite.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import ssl
import struct
from typing import Any


class Plain(asyncio.Protocol):
    transport: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport


class Echo(Plain):
    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class EchoDatagrams(asyncio.DatagramProtocol):
    transport: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)


class Chat(Plain):
    members: set[Chat] = set()
    tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.members.add(self)

    def data_received(self, data: bytes) -> None:
        *lines, self.tail = (self.tail + data).split(b"\n")
        if lines:
            heard = b"-> " + b"\n-> ".join(lines) + b"\n"
            for member in self.members:
                if member is not self:
                    member.transport.write(heard)

    def connection_lost(self, exc: Exception | None) -> None:
        self.members.discard(self)


class Accumulator(Plain):
    total = 0
    tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.pushing = asyncio.get_running_loop().call_later(3.0, self.push)

    def data_received(self, data: bytes) -> None:
        data = self.tail + data
        count = len(data) // 4
        Accumulator.total += sum(struct.unpack_from(f"<{count}i", data))
        self.tail = data[count * 4 :]

    def push(self) -> None:
        self.transport.write(struct.pack("<I", Accumulator.total & 0xFFFFFFFF))
        self.pushing = asyncio.get_running_loop().call_later(3.0, self.push)

    def connection_lost(self, exc: Exception | None) -> None:
        self.pushing.cancel()


class FileSink(Plain):
    file = -1

    def data_received(self, data: bytes) -> None:
        os.write(self.file, data)


PROTOCOLS: dict[str, type[Plain]] = {
    "tcp-echo": Echo,
    "tls-echo": Echo,
    "chat": Chat,
    "accumulator": Accumulator,
    "filesink": FileSink,
}


async def serve(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    where = "127.0.0.1", 0
    if options.service == "udp-echo":
        transport, _ = await loop.create_datagram_endpoint(EchoDatagrams, where)
        address = transport.get_extra_info("sockname")
    else:
        if options.file:
            FileSink.file = os.open(options.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        context = None
        if options.service == "tls-echo":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.load_cert_chain(options.cert, options.key)
        made = PROTOCOLS[options.service]
        server = await loop.create_server(made, *where, backlog=511, ssl=context)
        address = server.sockets[0].getsockname()
    print(f"listening {address[1]}", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("service")
    parser.add_argument("--uvloop", action="store_true")
    for name in ("--cert", "--key", "--file"):
        parser.add_argument(name)
    options = parser.parse_args()
    loop_factory = importlib.import_module("uvloop").new_event_loop if options.uvloop else None
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(serve(options))


if __name__ == "__main__":
    main()
