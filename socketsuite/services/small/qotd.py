"""Quote of the day (RFC 865): one short quote; TCP and UDP.

The wire, server → client: a quote of fewer than 512 bytes of UTF-8, its lines ended by
CRLF; then, on TCP, the close.

This module must not know who is asking: everybody gets a quote by chance.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import DatagramProtocol, Protocol, ServerFactory

from socketsuite.services.datagrams import AnswerDatagram
from socketsuite.services.small.answer import AnswerOnce
from socketsuite.settings import SettingsError, setting
from socketsuite.wire.printable import without_controls

LONGEST = 511
"""Bytes in the longest answer, its last CRLF included."""

QUOTES = """\
A stream has no messages. You brought those yourself.
%
The network is not slow today. It is telling you where you never measured.
%
Every buffer is a promise to someone who has stopped reading.
%
A timeout is an opinion about somebody else's day.
%
Whoever writes the client last decides what the protocol was.
%
The first packet gets lost. Plan for the second.
%
A port is a door. Know who built the house before you knock.
%
Silence is also an answer, but it takes thirty seconds to arrive.
%
Log what you would want to read at three in the morning, and nothing else.
%
The cable was not the problem.
Check the cable.
%
An error message is a letter to a stranger. Write it kindly.
%
Simple things keep running after everybody has forgotten who wrote them.
%
Close the connection the way you would like to be left.
%
What works on localhost has not yet left home.
"""


def parse_quotes(text: str) -> list[bytes]:
    """Return the answers in *text*, which is in the fortune format.

    Lines that are a single ``%`` separate the quotes.  Control characters are removed,
    and so are quotes that are empty or too long for an answer.
    """
    quotes: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.rstrip() == "%":
            quotes.append([])
        else:
            quotes[-1].append(without_controls(line).rstrip())
    texts = ("\n".join(quote).strip("\n").replace("\n", "\r\n") for quote in quotes)
    answers = [f"{text}\r\n".encode() for text in texts if text]
    return [answer for answer in answers if len(answer) <= LONGEST]


def read_quotes(path: Path) -> list[bytes]:
    """Return the answers in the file *path*; see :func:`parse_quotes`.

    :raises SettingsError: naming the file, when it cannot be read or holds no quote.
    """
    try:
        text = path.read_text("utf-8", "replace")
    except OSError as error:
        raise SettingsError(f"cannot read quotes from {path}: {error.strerror}") from None
    answers = parse_quotes(text)
    if not answers:
        raise SettingsError(
            f"{path} holds no quote of fewer than {LONGEST + 1} bytes;"
            " write some, with a line that is a single % between them"
        )
    return answers


@dataclass(eq=False)
class QotdFactory(ServerFactory):
    """Chooses quotes, for TCP and UDP.

    :param reactor: the clock for closing politely.
    :param chance: chooses the quote.
    """

    reactor: IReactorTime
    chance: random.Random = field(default_factory=random.Random)
    quotes: Path | None = setting(
        None,
        "a file of quotes, lines of a single % between them; those over 511 bytes are skipped",
        show="built-in quotes",
    )

    def __post_init__(self) -> None:
        self._answers: list[bytes] = []

    def startFactory(self) -> None:
        """Read the quotes.

        :raises SettingsError: when there is a file and it is of no use.
        """
        self._answers = read_quotes(self.quotes) if self.quotes else parse_quotes(QUOTES)

    def quote(self) -> bytes:
        """Return one answer, by chance."""
        return self.chance.choice(self._answers)

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return the answer for one caller."""
        return AnswerOnce(self.reactor, self.quote)

    def buildDatagramProtocol(self) -> DatagramProtocol:
        """Return the answers for a UDP port.

        :raises SettingsError: as :meth:`startFactory`, which nobody calls for UDP alone.
        """
        if not self._answers:
            self.startFactory()
        return AnswerDatagram(lambda _: self.quote())
