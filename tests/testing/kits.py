"""What the conformance checks have to know of each service of the suite.

``python -m socketsuite.testing tests/testing/kits.py:echo`` runs those of one.
"""

from __future__ import annotations

import os
import re
import struct
import time

from socketsuite.testing import Conformance, Conversation, NonConformance, Overheard, Reply
from socketsuite.testing.replies import is_complete

# ── echo, discard ───────────────────────────────────────────────────────────────────────


def _echo(count: int) -> tuple[bytes, bytes]:
    # No block is like another, so that one in the wrong place is noticed.
    data = b"".join(n.to_bytes(8, "big") for n in range(count // 8))
    return data, data


echo = Conformance(
    "socketsuite-echo",
    talk=[(b"hello\n", b"hello\n"), (b"\x00\xff\r\n" * 5, b"\x00\xff\r\n" * 5)],
    big=_echo,
    most_queued=1 << 20,
)
discard = Conformance("socketsuite-discard", talk=[(b"anything", b"")])

# ── chat ────────────────────────────────────────────────────────────────────────────────

_LINE = b"x" * 7999 + b"\n"


def _chat(count: int) -> tuple[bytes, bytes]:
    lines = count // len(_LINE)
    return _LINE * lines, (b"-> " + _LINE) * lines


def _is_heard(said: bytes) -> bool:
    """Whether the line is among what others say, or flood the room with."""
    return b"-> still there?\n" in said


chat = Conformance(
    "socketsuite-chat",
    ["--banner", "Welcome"],
    greeting=b"Welcome\n",
    talk=[(b"hello\n", b"-> hello\n"), (b"\n", b"-> \n"), (b"CRLF\r\n", b"-> CRLF\n")],
    big=_chat,
    garbage=[b"x" * 9000 + b"\n", b"\x1b[2J\n", b"no end of line"],
    may_close_on_garbage=True,  # a line of more than 8 KiB
    alive=(b"still there?\n", _is_heard),
    shared=True,
    conversation=Overheard,
)

# ── accumulator ─────────────────────────────────────────────────────────────────────────


def _sum_is_zero(said: bytes) -> bool:
    """Whether the last push is of a number and its opposite, and of nothing else."""
    return len(said) >= 4 and len(said) % 4 == 0 and said.endswith(bytes(4))


accumulator = Conformance(
    "socketsuite-accumulator",
    ["--interval", "0.02"],
    # Were it framed wrongly only once, the sum would never be 0 again.
    talk=[(struct.pack("<ii", 0x01020304, -0x01020304), _sum_is_zero)],
    alive=(b"", re.compile(rb"(?s)(....)+")),  # of what others have left is any sum
    shared=True,
    endless=True,
)

# ── filesink ────────────────────────────────────────────────────────────────────────────


class InTheFile(Conversation):
    """What is sent is the next that stands in the file."""

    def open(self) -> None:
        """Remember where the file ends now."""
        super().open()
        self._file = self.endpoint.folder / "sink"
        self._end = os.path.getsize(self._file)

    def expect(self, reply: Reply) -> None:
        """Wait until it is written; nothing but the file tells."""
        if not reply:
            return
        deadline = time.monotonic() + self.endpoint.timeout
        while not is_complete(reply, written := self._written()):
            if time.monotonic() > deadline:
                raise NonConformance(f"{written[:100]!r} is in the file, not {reply!r:.100}")
            time.sleep(0.001)  # between two looks
        self._end += len(written)

    def read(self, reply: bytes) -> None:
        """Send the rest, and wait until all is written."""
        while self.unsent and self.push(self.endpoint.timeout):
            pass
        self.expect(reply)

    def _written(self) -> bytes:
        with self._file.open("rb") as file:
            file.seek(self._end)
            return file.read()


def _is_written(said: bytes) -> bool:
    """Whether it is among what others have sent."""
    return b"still there?\n" in said


filesink = Conformance(
    "socketsuite-filesink",
    ["--file", "sink"],
    talk=[(b"one\n", b"one\n"), (b"\0\xff" * 20, b"\0\xff" * 20)],
    alive=(b"still there?\n", _is_written),
    shared=True,
    conversation=InTheFile,
)

# ── those who speak first ───────────────────────────────────────────────────────────────

watch = Conformance(
    "socketsuite-watch",
    ["--file", "watched"],
    greeting=b"Now watching watched for changes...\n",
    endless=True,
)

_ALPHABET = bytes(range(0x20, 0x7F)) * 2
_ROTATION = b"".join(_ALPHABET[at : at + 72] + b"\r\n" for at in range(95))


def _chargen(count: int) -> tuple[bytes, bytes]:
    return b"", (_ROTATION * (count // len(_ROTATION) + 1))[:count]


chargen = Conformance(
    "socketsuite-chargen", alive=(b"", _ROTATION), big=_chargen, endless=True, most_queued=1 << 20
)
daytime = Conformance(
    "socketsuite-daytime",
    greeting=re.compile(rb"\d\d [A-Z]{3} \d{4} \d\d:\d\d:\d\d [A-Z0-9+-]+\r\n"),
    closes=True,
)
qotd = Conformance("socketsuite-qotd", greeting=re.compile(rb"(?s).{1,509}\r\n"), closes=True)
seconds = Conformance("socketsuite-time", greeting=re.compile(rb"(?s)...."), closes=True)

EVERY = (
    *(echo, discard, chat, accumulator, filesink),
    *(watch, chargen, daytime, qotd, seconds),
)
