"""The load generator for machines without a C compiler; same command line, same report.

Python cannot outrun the faster servers, so expect its rounds to be called generator-bound;
CPU per message means something all the same.  See load/load.h for the command line.  It must
not know which server it talks to.
"""

from __future__ import annotations

import itertools
import json
import selectors
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_STAMP = 16
_CHUNK = 65536
_DEFAULTS: dict[str, float] = {
    "connections": 1, "size": 64, "senders": 1, "warm": 0, "window": 1, "rate": 0,
}  # fmt: skip


class Load:
    """One round against one server."""

    def __init__(self, port: int, server: int, options: dict[str, float]) -> None:
        self.address = "127.0.0.1", port
        self.clock = (~server << 3) | 2  # the CPU clock of that process, as Linux numbers them
        self.options = options
        self.connections = int(options["connections"])
        self.size = int(options["size"])
        self.rate = options["rate"]
        self.selector = selectors.DefaultSelector()
        self.latencies: list[float] = []
        self.messages = self.lost = 0.0

    # ── the window ──────────────────────────────────────────────────────────────────

    def begin(self) -> None:
        self.latencies.clear()
        self.messages = self.lost = 0.0
        self.server_used, self.load_used = time.clock_gettime(self.clock), time.process_time()
        self.begun = time.monotonic()

    def end(self) -> None:
        self.seconds = time.monotonic() - self.begun
        self.server_used = time.clock_gettime(self.clock) - self.server_used
        self.load_used = time.process_time() - self.load_used

    def turns(self) -> Iterator[list[Any]]:
        """Yield what is ready, until the window is over."""
        start = time.monotonic() + self.options["warm"]
        while time.monotonic() < start:
            yield [key.data for key, _ in self.selector.select(0 if self.rate else 0.05)]
        self.begin()
        while time.monotonic() < self.begun + self.options["window"]:
            yield [key.data for key, _ in self.selector.select(0 if self.rate else 0.05)]
        self.end()

    def due(self) -> Iterator[float]:
        """Yield the time of each message that is due by now."""
        if self.rate:
            self.next = getattr(self, "next", time.monotonic())
            while self.next <= time.monotonic():
                yield self.next
                self.next += 1 / self.rate

    def stamped(self, head: bytes) -> None:
        self.latencies.append(time.monotonic() - int(head[:_STAMP], 16) * 1e-9)
        self.messages += 1

    def report(self) -> str:
        self.latencies.sort()
        many = len(self.latencies)
        p50, p99 = (self.latencies[int(many * p)] * 1e6 if many else 0.0 for p in (0.50, 0.99))
        return json.dumps(
            {"messages": self.messages, "seconds": self.seconds, "server_cpu": self.server_used,
             "load_cpu": self.load_used, "p50_us": p50, "p99_us": p99, "lost": self.lost}
        )  # fmt: skip

    # ── the modes ───────────────────────────────────────────────────────────────────

    def connect(self) -> socket.socket:
        made = socket.create_connection(self.address, timeout=10)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def ping_pong(self, kind: str) -> None:
        lines = [Line(self, kind) for _ in range(self.connections)]
        turn = itertools.cycle(lines)
        if not self.rate:
            for line in lines:
                line.ping(time.monotonic())
        for ready in self.turns():
            for due in self.due():
                next(turn).ping(due)
            for line in ready:
                for _ in range(line.pong()):
                    if not self.rate:
                        line.ping(time.monotonic())
            if kind == "udp" and not ready and not self.rate:
                self.lost += len(lines)
                for line in lines:
                    line.ping(time.monotonic())

    def fan_out(self) -> None:
        senders, wire = int(self.options["senders"]), self.size + 3
        count = self.connections + senders
        members = [self.connect() for _ in range(count)]
        heard, tails = [0] * senders, [b""] * count

        def say(number: int, due: float) -> None:
            text = b"%016x%04d" % (int(due * 1e9), number)
            members[number].sendall(text.ljust(self.size - 1, b"x") + b"\n")

        time.sleep(0.2)  # for all to be in the room
        for number, member in enumerate(members):
            self.selector.register(member, selectors.EVENT_READ, number)
        if not self.rate:
            for number in range(senders):
                say(number, time.monotonic())
        turn = itertools.cycle(range(senders))
        for ready in self.turns():
            for due in self.due():
                say(next(turn), due)
            for listener in ready:
                data = tails[listener] + members[listener].recv(_CHUNK)
                end = len(data) - len(data) % wire
                tails[listener] = data[end:]
                for at in range(0, end, wire):
                    self.stamped(data[at + 3 : at + 3 + _STAMP])
                    speaker = int(data[at + 3 + _STAMP : at + 7 + _STAMP])
                    heard[speaker] += 1
                    if heard[speaker] % (count - 1) == 0 and not self.rate:
                        say(speaker, time.monotonic())

    def stream(self) -> None:
        chunk = bytes(range(256)) * (_CHUNK // 256)
        pipes = [self.connect() for _ in range(self.connections)]
        for pipe in pipes:
            pipe.setblocking(False)
            self.selector.register(pipe, selectors.EVENT_WRITE, pipe)
        self.begin()
        while time.monotonic() < self.begun + self.options["window"]:
            for key, _ in self.selector.select(0.05):
                self.messages += key.data.send(chunk)
        for pipe in pipes:
            pipe.shutdown(socket.SHUT_WR)
            pipe.settimeout(30)
            while pipe.recv(_CHUNK):
                pass
        self.end()

    def connect_close(self) -> None:
        for _ in self.turns():
            slots = [self.connect() for _ in range(self.connections)]
            for slot in slots:
                slot.shutdown(socket.SHUT_WR)
            for slot in slots:
                slot.recv(1)
                slot.close()
                self.messages += 1

    def idle(self, server: int) -> None:
        kept = [self.open_checked(number) for number in range(1, 101)]
        before = resident_bytes(server)
        self.begin()
        kept += [self.open_checked(number) for number in range(1, self.connections + 1)]
        time.sleep(0.2)
        self.end()
        self.messages = max(0, resident_bytes(server) - before)

    def open_checked(self, number: int) -> socket.socket:
        made = self.connect()
        if number % 100 == 0:
            made.sendall(b"x")
            made.recv(1)
        return made


class Line:
    """One connection of the ping-pong."""

    def __init__(self, load: Load, kind: str) -> None:
        self.load = load
        self.tail = b""
        self.socket: Any
        if kind == "udp":
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.connect(load.address)
        else:
            self.socket = load.connect()
        if kind == "tls":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        self.socket.setblocking(False)
        load.selector.register(self.socket, selectors.EVENT_READ, self)

    def ping(self, due: float) -> None:
        self.socket.send((b"%016x" % int(due * 1e9)).ljust(self.load.size, b"x"))

    def pong(self) -> int:
        """Take what has come back; return how many messages that made."""
        try:
            data = self.tail + self.socket.recv(_CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return 0
        size = self.load.size
        back = len(data) // size
        for number in range(back):
            self.load.stamped(data[number * size : number * size + _STAMP])
        self.tail = data[back * size :]
        return back


def resident_bytes(process: int) -> int:
    text = Path(f"/proc/{process}/smaps_rollup").read_text()
    return int(text.partition("\nRss:")[2].split()[0]) * 1024


def main(mode: str, port: str, server: str, *words: str) -> None:
    given = {key: float(value) for key, _, value in (word.partition("=") for word in words)}
    load = Load(int(port), int(server), {**_DEFAULTS, **given})
    if mode in ("tcp", "tls", "udp"):
        load.ping_pong(mode)
    elif mode == "idle":
        load.idle(int(server))
    else:
        {"fan-out": load.fan_out, "stream": load.stream, "connect": load.connect_close}[mode]()
    print(load.report())


if __name__ == "__main__":
    main(*sys.argv[1:])
