"""The UDP side that most services share: a datagram comes, an answer goes back.

This module must not know what is answered, or who may ask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import MessageLengthError
from twisted.internet.interfaces import IUDPTransport
from twisted.internet.protocol import DatagramProtocol

LARGEST = 65_507
"""Bytes in the largest IPv4 datagram: 65,535 less the IP and UDP headers."""


class AnswerDatagram(DatagramProtocol):
    """Answers each datagram, an empty one too, with one of its own.

    An answer that the kernel will not take (a full buffer, a forged sender such as port 0)
    is dropped without a word, as any datagram may be: whoever forges senders must not be
    able to fill the log.

    :param answer: called with the datagram; returns the answer.
    """

    transport: IUDPTransport

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Answer one datagram to its sender."""
        try:
            self.transport.write(self._answer(datagram), addr)
        except (OSError, MessageLengthError):
            pass
