"""A UDP port that drains its socket and answers in one loop, with a bound.

Differs from Twisted's own in what a flood can do: a turn takes at most so many datagrams,
empty ones count too, and an error of the socket ends the turn and not the port.  This
module must not know who may ask, nor what is answered.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from errno import EAGAIN, EMSGSIZE
from typing import Any

from twisted.internet import udp
from twisted.internet.error import MessageLengthError
from twisted.internet.protocol import DatagramProtocol
from twisted.python import log

from socketsuite.transport import compiled

# So many small answers are about a millisecond.
_DATAGRAMS_PER_TURN = 256
_LARGEST = 65536
_IP_PKTINFO = 8  # linux/in.h; the socket module has no name for it
_ROOM_FOR_ADDRESS = socket.CMSG_SPACE(20)  # struct in6_pktinfo, the larger one
_EVERY_ADDRESS = ("0.0.0.0", "::")

Receive = Callable[[int], tuple[bytes, Any]]
Send = Callable[[bytes, Any], int]


class DatagramPort(udp.Port):
    """Datagrams in, answers out, of a socket that is bound already.

    Addresses are what the socket gives: ``(host, port)``, for IPv6 with flow and scope
    behind, which an answer needs to find a link-local peer.

    :ivar frontend: the name of the service's frontend that the port belongs to.
    """

    frontend = ""

    protocol: Any
    datagrams_in = datagrams_out = bytes_in = bytes_out = 0
    _receive: Receive
    _send: Send

    def _bindSocket(self) -> None:
        super()._bindSocket()
        self._receive, self._send = self.socket_calls(self.socket)

    def socket_calls(self, bound: socket.socket) -> tuple[Receive, Send]:
        """Return what receives a datagram and its sender, and what sends one."""
        return bound.recvfrom, bound.sendto

    def doRead(self) -> None:
        """Hand the waiting datagrams to the protocol, up to the bound."""
        receive = self._receive
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
                    self.receive_failed()
                    return
                count += 1
                size += len(datagram)
                try:
                    received(datagram, address)
                except BaseException:
                    self.read_failed()
        finally:
            self.datagrams_in += count
            self.bytes_in += size

    def read_failed(self) -> None:
        """Log the exception that is being handled; it costs one datagram."""
        log.err()

    def receive_failed(self) -> None:
        """Log the exception that is being handled; the port goes on in its next turn."""
        log.err(None, "cannot receive datagrams")

    def write(self, datagram: bytes, addr: Any = None) -> None:
        """Send *datagram* to *addr*; what the kernel cannot take now is dropped.

        :raises MessageLengthError: when it is larger than a datagram can be.
        :raises OSError: when it cannot be sent to that address at all.
        """
        try:
            self.bytes_out += self._send(datagram, addr)
            self.datagrams_out += 1
        except (BlockingIOError, ConnectionError):
            return
        except OSError as error:
            if error.errno == EMSGSIZE:
                raise MessageLengthError("message too long") from None
            raise


class EveryAddressPort(DatagramPort):
    """A port on a wildcard address: it answers from the address that was asked.

    Otherwise the kernel would choose one by the way back, and whoever asked another of this
    machine's addresses would take the answer for a stranger's.
    """

    _source: tuple[int, int, bytes] | None = None

    def socket_calls(self, bound: socket.socket) -> tuple[Receive, Send]:
        """Have the kernel tell of each datagram where it was sent to."""
        if bound.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            bound.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        self._bound = bound
        return self._receive_and_note, self._send_from_there

    def _receive_and_note(self, size: int) -> tuple[bytes, Any]:
        datagram, told, _, address = self._bound.recvmsg(size, _ROOM_FOR_ADDRESS)
        self._source = _answer_from(told)
        return datagram, address

    def _send_from_there(self, datagram: bytes, addr: Any) -> int:
        if self._source is not None:
            try:
                return self._bound.sendmsg([datagram], [self._source], 0, addr)
            except OSError as error:
                # A group's or a network's address was asked, and nobody can answer from that.
                # Where it is other trouble, it comes again.
                if error.errno in (EAGAIN, EMSGSIZE):
                    raise
        return self._bound.sendto(datagram, addr)

    def doRead(self) -> None:
        """Hand on what waits; what is sent later is an answer to nobody in particular."""
        try:
            super().doRead()
        finally:
            self._source = None


def _answer_from(told: list[tuple[int, int, bytes]]) -> tuple[int, int, bytes] | None:
    """Return what makes the kernel send from the address that it told of."""
    for level, kind, data in told:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            # struct in_pktinfo: interface, our address, the datagram's own (perhaps a group).
            return level, kind, bytes(4) + data[4:8] + bytes(4)
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO and data[0] != 0xFF:
            return level, kind, data  # struct in6_pktinfo: address, interface
    return None


class CompiledPort(compiled.Datagrams, DatagramPort):
    """The same compiled.

    An answer to the sender of the datagram that is being handled waits for those to the next
    few, and leaves with them; once some milliseconds are over, when the protocol has returned.
    What fails then is dropped; the next answers leave one by one, so that who writes is told.
    Whatever else is written leaves at once, after the answers that wait.
    """

    write_now = DatagramPort.write

    def doRead(self) -> None:
        """Hand the waiting datagrams to the protocol, up to the bound."""
        if not self.read(self.protocol.datagramReceived, _DATAGRAMS_PER_TURN):
            super().doRead()

    def connectionLost(self, reason: Any = None) -> None:
        """Send what is still to be sent."""
        self.end()
        super().connectionLost(reason)


class CompiledEveryAddressPort(CompiledPort, EveryAddressPort):
    """The same for a wildcard address."""

    def write_now(self, datagram: bytes, addr: Any = None) -> None:
        """Send one datagram, from the address that the one was sent to that is being handled."""
        asked = self.asked()
        if asked is None:
            EveryAddressPort.write(self, datagram, addr)
            return
        self._source = asked
        try:
            EveryAddressPort.write(self, datagram, addr)
        finally:
            self._source = None


def adopt_datagrams(
    reactor: Any, bound: socket.socket, protocol: DatagramProtocol, *, pure: bool = False
) -> Any:
    """Return an ``IListeningPort`` that serves *protocol* on a socket that is bound.

    The port works on a duplicate of the descriptor: the caller closes its own.
    """
    every = sys.platform == "linux" and bound.getsockname()[0] in _EVERY_ADDRESS
    make: type[DatagramPort] = EveryAddressPort if every else DatagramPort
    if compiled.AVAILABLE and not pure:
        make = CompiledEveryAddressPort if every else CompiledPort
    port = make._fromListeningDescriptor(reactor, bound.fileno(), bound.family, protocol, _LARGEST)
    port.startListening()
    return port
