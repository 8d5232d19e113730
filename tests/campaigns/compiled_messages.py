"""Ten million messages through a daemon, whose memory must not grow; two minutes.

Run from the project's folder: ``python -m tests.campaigns.compiled_messages``.  An echo with 50
callers, large messages too, connections made and closed, and a chat with 50 readers; ``--messages``
for more of them, ``--transport burst-pure`` to compare.  Exit status 1 if the resident memory of
one has grown by more than a mebibyte since it was warm.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench.generator import Generator, find_compiler, make_generator
from socketsuite.testing import Daemon

MOST_GROWTH = 1 << 20
_WARM, _WINDOW = 3.0, 20.0
# Per service: what is done to it, how, and the part of all messages that is.
_LOADS = (
    ("socketsuite-echo", "tcp", {"connections": 50, "size": 64}, 0.7),
    ("socketsuite-echo", "tcp", {"connections": 8, "size": 40_000}, 0.02),
    ("socketsuite-echo", "connect", {"connections": 16}, 0.005),
    ("socketsuite-chat", "fan-out", {"connections": 50, "senders": 1, "size": 64}, 0.275),
)


def measure(generator: Generator, folder: Path, service: str, words: list[str], most: int) -> bool:
    """Print what becomes of one service's memory; return whether it holds."""
    daemon = Daemon(folder, service, "--port", "0", *words).wait_until_ready()
    well = True
    try:
        for name, mode, load, part in _LOADS:
            if name != service:
                continue
            options = {"warm": 0.1, "window": _WARM, **load}
            generator.run(mode, daemon.port(), daemon.process.pid, options)
            before, done, wanted = daemon.memory(), 0.0, most * part
            while done < wanted:
                options["window"] = _WINDOW
                done += generator.run(mode, daemon.port(), daemon.process.pid, options).messages
            growth = daemon.memory() - before
            well = well and growth <= MOST_GROWTH
            shown = " ".join(f"{key}={value}" for key, value in load.items())
            print(
                f"{service} {mode} {shown}: {done:,.0f} messages, RSS {growth / 1024:+.0f} KiB",
                flush=True,
            )
        daemon.stop()
    finally:
        daemon.kill()
    return well


def main() -> int:
    """Read the command line, and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--messages", type=int, default=10_000_000)
    parser.add_argument("--transport", default="burst")
    options = parser.parse_args()
    words = ["--transport", options.transport]
    well = True
    with tempfile.TemporaryDirectory() as folder:
        generator = make_generator(find_compiler(), Path(folder))
        for service in dict.fromkeys(name for name, *_ in _LOADS):
            own = Path(folder) / service
            own.mkdir()
            well = measure(generator, own, service, words, options.messages) and well
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
