"""The settings of a process, however many services run in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from socketsuite.settings import byte_size, setting


@dataclass(eq=False)
class ProcessSettings:
    """The process."""

    log_format: Literal["text", "json"] | None = setting(
        None, "one line of text an event, or one JSON object", show="text"
    )
    log_to: str | None = setting(
        None,
        "stdout, stderr, journal, or the path of a file, opened anew on reload",
        metavar="WHERE",
        show="stdout; in the background twistd.log",
    )
    metrics_port: int | None = setting(
        None,
        "serve Prometheus figures (/metrics) and /health on this port, on loopback; 0 lets the"
        " kernel choose",
        minimum=0,
        maximum=65535,
        metavar="PORT",
    )
    admin: Path | None = setting(
        None, "Unix socket that 'socketsuite status' reads; for its owner only", metavar="PATH"
    )
    total_send_queue: int = setting(
        256 << 20,
        "drop the largest queues while all of them together are larger than this; 0 is no limit",
        metavar="BYTES",
        parse=byte_size,
        show="256M",
    )
