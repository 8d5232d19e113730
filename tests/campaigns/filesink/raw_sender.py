"""Sends lines to the raw port, again and again, and keeps which of them were confirmed by a FIN.

This module must not know what becomes of the server.
"""

from __future__ import annotations

import random
import socket
import threading
from dataclasses import dataclass, field

from tests.campaigns.filesink.records import record

_DEADLINE = 60.0


@dataclass(eq=False)
class RawSender(threading.Thread):
    """Sends until the connection breaks, or is told to stop.

    :ivar first: the number of its first record.
    :ivar confirmed: numbers of the records that the sink has confirmed.
    :ivar next: the number of the record that nobody has sent yet.
    """

    port: int
    source: str
    dice: random.Random
    first: int
    most: int = 1 << 30
    confirmed: list[int] = field(default_factory=list)
    error: str = ""

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self.next = self.first
        self.stopping = threading.Event()

    def run(self) -> None:
        """Send; a break of the connection is the end."""
        try:
            while not self.stopping.is_set() and self.next - self.first < self.most:
                self._upload()
        except OSError as error:
            self.error = str(error)

    def _upload(self) -> None:
        begin = self.next
        self.next += self.dice.randrange(1, 200)
        numbers = range(begin, self.next)
        lines = [record(self.source, one, "y" * self.dice.randrange(1, 200)) for one in numbers]
        with socket.create_connection(("127.0.0.1", self.port), _DEADLINE) as connection:
            connection.sendall(b"".join(lines))
            connection.shutdown(socket.SHUT_WR)
            if connection.recv(1) == b"":
                self.confirmed += numbers
