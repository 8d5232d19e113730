"""A chat whose history is in a file, talked in and killed; and what the file holds then."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

from socketsuite.services.chat.events import Message
from socketsuite.services.chat.history import HistoryLimits
from socketsuite.services.chat.history_file import HistoryFile
from socketsuite.testing import Daemon, read_line

WIDE = HistoryLimits(10_000_000, 1 << 30, 0.0)
FLAGS = ("--history-lines", "1000000", "--history-size", "256M", "--metrics-port", "0")


def lobby_of(path: Path) -> list[Message]:
    """Return what the file has of the lobby; no daemon may have it open, nor may it be damaged."""
    file = HistoryFile(path)
    try:
        rooms = {one.state.name: one for one in file.load(WIDE, time.time())}
    finally:
        file.close()
    if "lobby" not in rooms:
        return []
    lobby = rooms["lobby"]
    assert lobby.state.order == (lobby.messages[-1].order if lobby.messages else 0)
    return list(lobby.messages)


def figure(daemon: Daemon, name: str) -> float:
    """Return a figure of the history, such as ``saved_total``."""
    key = f'socketsuite_service_history_{name}{{service="socketsuite-chat"}}'
    return daemon.metrics()[key]


def until_saved(daemon: Daemon, count: int) -> None:
    """Return once the daemon says that so many messages are on disk."""
    deadline = time.monotonic() + daemon.timeout
    while figure(daemon, "saved_total") < count:
        assert time.monotonic() < deadline, daemon.log


@dataclass
class Talk:
    """What was said in one run of the daemon: in its order, and when each was heard."""

    said: list[bytes] = field(default_factory=list)
    heard: list[float] = field(default_factory=list)

    def exchange(self, speaker: socket.socket, listener: socket.socket, text: bytes) -> None:
        """Say a line, and wait until it is heard."""
        self.said.append(text)
        speaker.sendall(text + b"\n")
        assert read_line(listener) == b"-> " + text + b"\n"
        self.heard.append(time.monotonic())

    def burst(self, speaker: socket.socket, texts: list[bytes]) -> None:
        """Say lines, of which nobody knows who hears them."""
        self.said += texts
        speaker.sendall(b"".join(text + b"\n" for text in texts))


def check(path: Path, before: list[Message], talk: Talk, least: int) -> list[Message]:
    """Return the file's messages: *before*, and the first of *talk*, *least* of them or more.

    :raises AssertionError: for a gap, a duplicate, or anything that is not there.
    """
    found = lobby_of(path)
    assert found[: len(before)] == before
    assert [one.order for one in found] == list(range(1, len(found) + 1))
    assert len({one.id for one in found}) == len(found)
    new = [one.text for one in found[len(before) :]]
    assert new == talk.said[: len(new)]
    assert len(new) >= least, f"{len(new)} lines of {least} that should be there"
    return found
