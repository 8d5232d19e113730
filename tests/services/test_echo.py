"""Echo: every byte comes back."""

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.testing import FakeDatagramTransport, MemoryReactor

from socketsuite.services.echo import EchoFactory
from tests.services.streams import FakeStream

SENDER = ("192.0.2.1", 5353)


def echo_on(stream_host=None, **settings):
    return FakeStream(EchoFactory(**settings).buildProtocol(None), stream_host)


class Pipe(FileDescriptor):
    """Twisted's own buffering, with a peer that takes what it is let."""

    def __init__(self):
        super().__init__(MemoryReactor())
        self.connected = True
        self.window = 0
        self.sent = b""

    def writeSomeData(self, data):
        taken = bytes(data[: self.window])
        self.window -= len(taken)
        self.sent += taken
        return len(taken)

    def reading(self):
        return self in self.reactor.getReaders()


def test_bytes_come_back_untouched_and_nothing_else():
    stream = echo_on()
    stream.protocol.dataReceived(b"\x00\xff\r\n")
    assert stream.value() == b"\x00\xff\r\n"


def test_the_banner_is_a_line_of_its_own():
    stream = echo_on(banner="Welcome (Echo server)")
    stream.protocol.dataReceived(b"x")
    assert stream.value() == b"Welcome (Echo server)\nx"


def test_the_prefix_is_put_before_each_chunk():
    stream = echo_on(prefix="Сервер получил: ")
    stream.protocol.dataReceived(b"a")
    stream.protocol.dataReceived(b"b")
    assert stream.writes == ["Сервер получил: a".encode(), "Сервер получил: b".encode()]


def test_the_prefix_names_the_port_the_caller_came_in_by():
    for port in (40000, 50000):
        stream = echo_on(IPv4Address("TCP", "127.0.0.1", port), prefix="ECHO{port}:")
        stream.protocol.dataReceived(b"hi")
        assert stream.value() == b"ECHO%d:hi" % port


def test_a_peer_that_does_not_read_is_not_read_from_and_loses_nothing():
    pipe = Pipe()
    protocol = EchoFactory().buildProtocol(None)
    pipe.startReading()
    protocol.makeConnection(pipe)
    protocol.dataReceived(b"x" * (pipe.bufferSize + 1))
    assert not pipe.reading()
    pipe.window = 1 << 20
    pipe.doWrite()
    assert pipe.reading()
    assert pipe.sent == b"x" * (pipe.bufferSize + 1)


def test_everything_before_the_callers_fin_is_echoed_before_ours():
    pipe = Pipe()
    protocol = EchoFactory().buildProtocol(None)
    assert IHalfCloseableProtocol.providedBy(protocol)
    protocol.makeConnection(pipe)
    protocol.dataReceived(b"x" * 200_000)
    protocol.readConnectionLost()
    results: list[object] = []
    for _ in range(4):
        pipe.window = 60_000
        results.append(pipe.doWrite())
    assert pipe.sent == b"x" * 200_000
    assert results == [None, None, None, CONNECTION_DONE]


class UDPTransport(FakeDatagramTransport):
    def getHost(self):
        return IPv4Address("UDP", "127.0.0.1", 7)


def datagrams_on(**settings):
    protocol = EchoFactory(**settings).buildDatagramProtocol()
    transport = UDPTransport()
    protocol.makeConnection(transport)
    return protocol, transport


def test_a_datagram_returns_to_its_sender_even_an_empty_or_the_largest_one():
    protocol, transport = datagrams_on(banner="not on UDP")
    for datagram in (b"hello", b"", b"x" * 65_507):
        protocol.datagramReceived(datagram, SENDER)
        assert transport.written.pop() == (datagram, SENDER)
    assert transport.written == []


def test_a_datagram_with_its_prefix_is_cut_to_the_largest():
    protocol, transport = datagrams_on(prefix="{port}:")
    protocol.datagramReceived(b"hello", SENDER)
    protocol.datagramReceived(b"x" * 65_507, SENDER)
    assert transport.written == [(b"7:hello", SENDER), (b"7:" + b"x" * 65_505, SENDER)]


def test_an_answer_the_kernel_refuses_is_dropped_and_the_next_one_goes_out():
    protocol, transport = datagrams_on()
    write, transport.write = transport.write, refuse
    protocol.datagramReceived(b"to a forged port", ("192.0.2.1", 0))
    transport.write = write
    protocol.datagramReceived(b"next", SENDER)
    assert transport.written == [(b"next", SENDER)]


def refuse(datagram, addr):
    raise OSError("Invalid argument")
