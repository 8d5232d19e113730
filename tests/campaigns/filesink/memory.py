"""A GiB through one sender, and through 64 at once: the sink's memory stays flat.

Run from the project's folder: ``python -m tests.campaigns.filesink.memory``; five minutes, and a
disk with room for a GiB.  The most that the process ever had in memory grows by less than 32 MB, by
either port.  Exit status 1 if it grows by more.
"""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from socketsuite.testing import Daemon

MOST = 32_000_000
_CHUNK = bytes(range(256)) * 4096
_DEADLINE = 600.0


def _raw(port: int, size: int, number: int) -> None:
    with socket.create_connection(("127.0.0.1", port), _DEADLINE) as connection:
        for _ in range(size // len(_CHUNK)):
            connection.sendall(_CHUNK)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


def _ack(port: int, size: int, number: int) -> None:
    with socket.create_connection(("127.0.0.1", port), _DEADLINE) as connection:
        connection.sendall(f"STREAM s{number}-{size}\n".encode())

        def write() -> None:
            for at in range(0, size, len(_CHUNK)):
                connection.sendall(b"DATA %d %d\n" % (at, len(_CHUNK)))
                connection.sendall(_CHUNK)
            connection.sendall(b"END %d\n" % size)

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        for line in connection.makefile("rb"):
            assert not line.startswith(b"ERROR"), line
            if line.startswith(b"DONE"):
                break
        else:
            raise AssertionError("the connection ended before DONE")
        writer.join(_DEADLINE)


WAYS: dict[str, Callable[[int, int, int], None]] = {"raw": _raw, "ack": _ack}


def growth(frontend: str, senders: int, size: int, folder: Path) -> tuple[int, float]:
    """Send *size* bytes by so many at once; return by how much memory grew, and the seconds.

    :raises AssertionError: when a sender did not get its confirmation.
    """
    flags = ("--port", "0", "--ack-port", "0", "--file", str(folder / "{stream}.bin"))
    wrong: list[BaseException] = []
    each = size // senders // len(_CHUNK) * len(_CHUNK)
    with Daemon(folder, "socketsuite-filesink", *flags, timeout=60) as daemon:
        port = daemon.port(frontend=frontend)

        def run(number: int, size: int) -> None:
            try:
                WAYS[frontend](port, size, number)
            except BaseException as error:  # noqa: BLE001 - told by the thread that waits
                wrong.append(error)

        run(senders, len(_CHUNK))  # what is loaded once, and buffers that are kept
        before = daemon.memory("VmHWM")
        begun = time.monotonic()
        threads = [
            threading.Thread(target=run, args=(number, each), daemon=True)
            for number in range(senders)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(_DEADLINE)
        took = time.monotonic() - begun
        grown = daemon.memory("VmHWM") - before
        assert not wrong, wrong
        assert daemon.stop() == 0, daemon.log
    written = sum(path.stat().st_size for path in folder.glob("*.bin"))
    assert written == each * senders + len(_CHUNK), f"{written} bytes are there"
    return grown, took


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--size", type=int, default=1 << 30, help="bytes of each run")
    options = parser.parse_args()
    failed = False
    for frontend in WAYS:
        for senders in (1, 64):
            with tempfile.TemporaryDirectory() as name:
                grown, took = growth(frontend, senders, options.size, Path(name))
            failed = failed or grown >= MOST
            rate = options.size / took / 1e6
            print(
                f"{frontend}, {senders} at once: {options.size / 1e6:.0f} MB at {rate:.0f} MB/s,"
                f" memory grew by {grown / 1e6:.1f} MB",
                flush=True,
            )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
