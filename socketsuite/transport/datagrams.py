"""A UDP port that drains its socket and answers in one loop, with a bound.

Differs from Twisted's own in what a flood can do: a turn takes at most so many datagrams,
empty ones count too, and an error of the socket ends the turn and not the port.  This
module must not know who may ask, nor what is answered.
"""

from __future__ import annotations

import socket
from errno import EMSGSIZE
from typing import Any

from twisted.internet import udp
from twisted.internet.error import MessageLengthError
from twisted.internet.protocol import DatagramProtocol
from twisted.python import log

# So many small answers are about a millisecond.
_DATAGRAMS_PER_TURN = 256
_LARGEST = 65536


class DatagramPort(udp.Port):
    """Datagrams in, answers out, of a socket that is bound already.

    Addresses are what the socket gives: ``(host, port)``, for IPv6 with flow and scope
    behind, which an answer needs to find a link-local peer.
    """

    protocol: Any
    datagrams_in = datagrams_out = bytes_in = bytes_out = 0

    def doRead(self) -> None:
        """Hand the waiting datagrams to the protocol, up to the bound."""
        receive = self.socket.recvfrom
        received = self.protocol.datagramReceived
        count = size = 0
        try:
            for _ in range(_DATAGRAMS_PER_TURN):
                try:
                    datagram, address = receive(_LARGEST)
                except BlockingIOError:
                    return
                except ConnectionError:
                    continue  # an earlier answer found nobody; that is no news of this socket
                except OSError:
                    log.err(None, "cannot receive datagrams")
                    return
                count += 1
                size += len(datagram)
                try:
                    received(datagram, address)
                except BaseException:
                    log.err()
        finally:
            self.datagrams_in += count
            self.bytes_in += size

    def write(self, datagram: bytes, addr: Any = None) -> None:
        """Send *datagram* to *addr*; what the kernel cannot take now is dropped.

        :raises MessageLengthError: when it is larger than a datagram can be.
        :raises OSError: when it cannot be sent to that address at all.
        """
        try:
            self.bytes_out += self.socket.sendto(datagram, addr)
            self.datagrams_out += 1
        except (BlockingIOError, ConnectionError):
            return
        except OSError as error:
            if error.errno == EMSGSIZE:
                raise MessageLengthError("message too long") from None
            raise


def adopt_datagrams(reactor: Any, bound: socket.socket, protocol: DatagramProtocol) -> Any:
    """Return an ``IListeningPort`` that serves *protocol* on a socket that is bound.

    The port works on a duplicate of the descriptor: the caller closes its own.
    """
    port = DatagramPort._fromListeningDescriptor(
        reactor, bound.fileno(), bound.family, protocol, _LARGEST
    )
    port.startListening()
    return port
