from acme.rot13 import Rot13Factory
from twisted.internet.testing import StringTransport


def talk(factory: Rot13Factory, said: bytes) -> bytes:
    protocol = factory.buildProtocol(None)
    transport = StringTransport()
    protocol.makeConnection(transport)
    protocol.dataReceived(said)
    value: bytes = transport.value()
    return value


def test_a_line_comes_back_rotated():
    assert talk(Rot13Factory(), b"Hello, World 13\n") == b"Uryyb, Jbeyq 13\n"


def test_rotating_twice_gives_the_line_again():
    once = talk(Rot13Factory(), b"Why did the chicken\n")
    assert talk(Rot13Factory(), once) == b"Why did the chicken\n"


def test_the_rotation_is_a_setting():
    assert talk(Rot13Factory(rotate=1), b"az AZ\n") == b"ba BA\n"
