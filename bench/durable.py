"""What reaches the disk in a second: ``python -m bench.durable [--quick] [--folder DIR]``.

Lines, and records of 64 KiB, from 1, 8 and 64 clients at once, until all of them are synced: the
file sink with ``--sync always`` by either port, and rsyslog (imptcp, omfile with ``sync="on"``).
The sink's clients have its confirmation then.  rsyslog gives none: its time ends when the file is
as long as it has to be, which is a little before the last sync.  This module must not know how the
figures are kept.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import interrupts

CLIENTS = (1, 8, 64)
_PIECE = 1 << 16
_DEADLINE = 120.0
_TWISTD = str(Path(sys.executable).parent / "twistd")
_RSYSLOG = """\
global(workDirectory="{folder}" maxMessageSize="128k"
       parser.escapeControlCharactersOnReceive="off")
module(load="imptcp")
template(name="raw" type="string" string="%rawmsg%\\n")
ruleset(name="keep" queue.type="FixedArray" queue.size="50000"
        queue.dequeueBatchSize="1024") {{
  action(type="omfile" file="{file}" template="raw" sync="on" flushOnTXEnd="on"
         ioBufferSize="1m")
}}
input(type="imptcp" address="127.0.0.1" port="{port}" ruleset="keep"
      socketBacklog="256")
"""


@dataclass(frozen=True)
class Payload:
    """What each client sends, again and again.

    :ivar block: whole records, *records* of them; so many *blocks* are sent by all together.
    """

    title: str
    block: bytes
    records: int
    blocks: int


def payloads(share: float) -> list[Payload]:
    """Return the two that are measured; *share* is of their usual volume."""
    dice = random.Random(1)
    lines = [b"x" * dice.randrange(99, 200) + b"\n" for _ in range(436)]
    long = [b"y" * (_PIECE - 1) + b"\n"]
    return [
        Payload("lines of 100 to 200 bytes", b"".join(lines), len(lines), int(256 * share)),
        Payload("records of 64 KiB", b"".join(long), 1, int(1024 * share)),
    ]


@dataclass
class Server:
    """One that runs."""

    name: str
    process: subprocess.Popen[str]
    port: int
    file: Path

    def cpu(self) -> float:
        """Return the CPU time it has used, in seconds."""
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / 100


# ── clients ─────────────────────────────────────────────────────────────────────────────


def _send_raw(server: Server, payload: Payload, blocks: int, number: int) -> None:
    with socket.create_connection(("127.0.0.1", server.port), _DEADLINE) as connection:
        for _ in range(blocks):
            connection.sendall(payload.block)
        connection.shutdown(socket.SHUT_WR)
        if connection.recv(1) != b"":
            raise OSError("no FIN behind ours")


def _send_ack(server: Server, payload: Payload, blocks: int, number: int) -> None:
    size = len(payload.block)
    with socket.create_connection(("127.0.0.1", server.port), _DEADLINE) as connection:
        connection.sendall(b"STREAM s%d-%d\n" % (number, time.monotonic_ns()))
        replies = connection.makefile("rb")
        reader = threading.Thread(target=_until_done, args=(replies,))
        reader.start()
        for at in range(0, blocks * size, size):
            connection.sendall(b"DATA %d %d\n" % (at, size) + payload.block)
        connection.sendall(b"END %d\n" % (blocks * size))
        reader.join(_DEADLINE)


def _until_done(replies: Iterator[bytes]) -> None:
    for line in replies:
        if line.startswith((b"DONE ", b"ERROR ")):
            return


def _measure(
    server: Server, send: Callable[..., None], payload: Payload, clients: int
) -> tuple[float, float]:
    """Return bytes a second, and seconds of CPU for each byte."""
    blocks = max(1, payload.blocks // clients)
    total = blocks * clients * len(payload.block)
    before, length, begun = server.cpu(), server.file.stat().st_size, time.monotonic()
    threads = [
        threading.Thread(target=send, args=(server, payload, blocks, number), daemon=True)
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_DEADLINE)
    while server.file.stat().st_size < length + total:
        if time.monotonic() > begun + _DEADLINE:
            raise OSError(f"{server.name} has {server.file.stat().st_size - length} of {total}")
        time.sleep(0.001)
    took = time.monotonic() - begun
    return total / took, (server.cpu() - before) / total


# ── servers ─────────────────────────────────────────────────────────────────────────────


@contextmanager
def _sink(folder: Path, frontend: str) -> Iterator[Server]:
    file = folder / f"sink-{frontend}"
    words = [_TWISTD, "-n", "--pidfile=", "socketsuite-filesink", "--port", "0", "--ack-port", "0"]
    words += ["--framing", "lines", "--sync", "always", "--file", str(file)]
    with _process(words, folder) as process:
        assert process.stdout is not None
        port = 0
        for line in process.stdout:
            if found := re.search(rf"address=127\.0\.0\.1 port=(\d+) .*frontend={frontend}", line):
                port = int(found[1])
            if "ready, pid" in line:
                break
        threading.Thread(target=process.stdout.read, daemon=True).start()
        file.touch()
        yield Server(f"ours, {frontend}", process, port, file)


@contextmanager
def _rsyslog(program: str, folder: Path) -> Iterator[Server]:
    file, settings = folder / "rsyslog", folder / "rsyslog.conf"
    file.touch()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings.write_text(_RSYSLOG.format(folder=folder, file=file, port=port))
    words = [program, "-n", "-f", str(settings), "-i", str(folder / "rsyslog.pid")]
    with _process(words, folder) as process:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.02)
        yield Server("rsyslog", process, port, file)


@contextmanager
def _process(words: list[str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    with interrupts.held():
        process = subprocess.Popen(
            words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _find_rsyslog() -> str | None:
    return shutil.which("rsyslogd") or shutil.which("rsyslogd", path="/usr/sbin")


def main() -> int:
    """Measure, and show a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.durable")
    parser.add_argument("--quick", action="store_true", help="an eighth of the volume")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="on the disk that is measured")
    options = parser.parse_args()
    interrupts.install()
    with tempfile.TemporaryDirectory(prefix="durable-", dir=options.folder) as name:
        folder = Path(name)
        program = _find_rsyslog()
        if program is None:
            print("left out: rsyslog is not installed (Debian: apt-get install rsyslog)")
        for payload in payloads(0.125 if options.quick else 1.0):
            for clients in CLIENTS:
                _show(payload, clients, _rounds(folder, program, payload, clients, options.rounds))
    return 0


def _rounds(
    folder: Path, program: str | None, payload: Payload, clients: int, rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """Measure each in turn, each time from another one on."""
    found: dict[str, list[tuple[float, float]]] = {}
    with _sink(folder, "raw") as raw, _sink(folder, "ack") as ack:
        servers: list[tuple[Server, Callable[..., None]]] = [(raw, _send_raw), (ack, _send_ack)]
        if program is None:
            return _each(servers, payload, clients, rounds, found)
        with _rsyslog(program, folder) as rsyslog:
            servers.append((rsyslog, _send_raw))
            return _each(servers, payload, clients, rounds, found)


def _each(
    servers: list[tuple[Server, Callable[..., None]]],
    payload: Payload,
    clients: int,
    rounds: int,
    found: dict[str, list[tuple[float, float]]],
) -> dict[str, list[tuple[float, float]]]:
    for number in range(rounds):
        first = number % len(servers)
        for server, send in servers[first:] + servers[:first]:
            found.setdefault(server.name, []).append(_measure(server, send, payload, clients))
    return found


def _show(payload: Payload, clients: int, found: dict[str, list[tuple[float, float]]]) -> None:
    print(f"{payload.title}, {clients} clients:")
    for name, rounds in found.items():
        rate = median(one for one, _ in rounds)
        cost = median(one for _, one in rounds)
        records = rate / (len(payload.block) / payload.records)
        ratio = ""
        if theirs := found.get("rsyslog"):
            pairs = [mine[0] / other[0] for mine, other in zip(rounds, theirs, strict=True)]
            ratio = f", {median(pairs):.2f}x of rsyslog ({min(pairs):.2f} to {max(pairs):.2f})"
        print(
            f"  {name}: {rate / 1e6:.1f} MB/s, {records:,.0f} records/s,"
            f" {cost * 1e12:.0f} µs of CPU per MB{ratio}",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
