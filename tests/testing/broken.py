"""Services that are wrong in one way each, by which a conformance check is seen to fail.

Each is a package of somebody else's, whose ``make`` is what the plugin names.  Most answer
``number LF`` with so many bytes of ``y`` and LF, and any other line with itself.
"""

from __future__ import annotations

from pathlib import Path

NAME = "acme-broken"

HEAD = """
import os
import signal
import time

from twisted.internet import reactor
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.basic import LineOnlyReceiver
from zope.interface import implementer


def reply(line):
    return (b"y" * int(line) if line.isdigit() else line) + b"\\n"


class Right(LineOnlyReceiver):
    delimiter = b"\\n"
    MAX_LENGTH = 1 << 16

    def lineReceived(self, line):
        self.answer(reply(line))

    def answer(self, data):
        self.transport.write(data)


def make():
    return Factory.forProtocol(Service)


"""

RIGHT = "class Service(Right):\n    pass\n"

TAKES_SEGMENTS_FOR_MESSAGES = """
class Service(Protocol):
    def dataReceived(self, data):
        for line in data.splitlines():
            self.transport.write(reply(line))
"""

FORGETS_ALL_BUT_THE_FIRST_OF_A_SEGMENT = """
class Service(Right):
    def dataReceived(self, data):
        first, end, _ = data.partition(b"\\n")
        super().dataReceived(first + end)
"""

FORGETS_ITS_REPLY_AT_FIN = """
@implementer(IHalfCloseableProtocol)
class Service(Right):
    def answer(self, data):
        self.later = reactor.callLater(0.1, self.transport.write, data)

    def readConnectionLost(self):
        self.later.cancel()
        self.transport.loseConnection()

    def writeConnectionLost(self):
        pass
"""

NEVER_CLOSES = """
@implementer(IHalfCloseableProtocol)
class Service(Right):
    def readConnectionLost(self):
        pass

    def writeConnectionLost(self):
        pass
"""

CUTS_LARGE_REPLIES = """
class Service(Right):
    def answer(self, data):
        self.transport.write(data[:1 << 20] + data[-1:])
"""

CLOSES_ON_LARGE_REPLIES = """
class Service(Right):
    def answer(self, data):
        # Never the whole: a fast reader could have it before the connection is gone.
        self.transport.write(data[: 1 << 20])
        if len(data) > 1 << 20:
            reactor.callLater(0, self.transport.abortConnection)
"""

PUSHES = """
@implementer(IPushProducer)
class Pushes:
    def __init__(self, transport, data):
        self.transport, self.data, self.paused = transport, data, 0
        transport.registerProducer(self, True)
        self.produce()

    def produce(self):
        while self.data and self.may_go_on():
            for _ in range(4):
                self.transport.write(self.data[:16384])
                self.data = self.data[16384:]
        if not self.data:
            self.transport.unregisterProducer()

    def may_go_on(self):
        return not self.paused

    def pauseProducing(self):
        self.paused = True

    def resumeProducing(self):
        self.paused = False
        self.produce()

    def stopProducing(self):
        self.data = b""


class Service(Right):
    def answer(self, data):
        Pushes(self.transport, data)
"""

# Twisted may tell a producer to pause more than once, and to resume once.
COUNTS_ITS_PAUSES = f"""
{PUSHES}

def pause(self):
    self.paused += 1

def resume(self):
    self.paused -= 1
    if not self.paused:
        self.produce()

Pushes.pauseProducing, Pushes.resumeProducing = pause, resume
"""

PRODUCES_WHILE_PAUSED = f"{PUSHES}\nPushes.may_go_on = lambda self: True\n"

BLOCKS = """
class Service(Right):
    def answer(self, data):
        sock = self.transport.socket
        sock.setblocking(True)
        sock.sendall(data)
        sock.setblocking(False)
"""

# Whoever reads slowly has the reactor wait for it, a little at a time.
POLLS_A_SLOW_READER = """
class Service(Right):
    def answer(self, data):
        self.transport.write(data)
        if len(data) > 1 << 16:
            self.wait()

    def wait(self):
        if self.connected and self.transport.queued:
            time.sleep(0.08)
            reactor.callLater(0, self.wait)
"""

KEEPS_ALL_IT_HEARS = """
class Service(Right):
    heard = []

    def dataReceived(self, data):
        self.heard.append(bytes(data))
        super().dataReceived(data)

    def lineLengthExceeded(self, line):
        pass
"""

HOLDS_A_FILE_OF_WHO_VANISHES = """
class Service(Right):
    def connectionMade(self):
        self.file = os.open("/dev/null", os.O_RDONLY)

    def connectionLost(self, reason):
        if reason.check("twisted.internet.error.ConnectionDone"):
            os.close(self.file)
"""

RAISES_ON_BYTES_ABOVE_127 = """
class Service(Right):
    def lineReceived(self, line):
        line.decode("ascii")
        super().lineReceived(line)
"""

DIES_OF_A_NUL = """
class Service(Right):
    def lineReceived(self, line):
        if b"\\0" in line:
            os._exit(3)
        super().lineReceived(line)
"""

CLOSES_ON_A_STAR = """
class Service(Right):
    def lineReceived(self, line):
        if b"*" in line:
            self.transport.loseConnection()
        super().lineReceived(line)
"""

IGNORES_DRAIN = f"{NEVER_CLOSES}\n    def drain(self):\n        pass\n"

DRAINS_BY_ABORTING = """
class Service(Right):
    def drain(self):
        self.transport.abortConnection()
"""

# Nothing is wrong with it: of two, the first is closed before the second.
DRAINS_ONE_BEHIND_THE_OTHER = """
class Service(Right):
    def connectionMade(self):
        others = self.factory.__dict__.setdefault("others", [])
        self.number = len(others)
        others.append(self)

    def answer(self, data):
        for other in self.factory.others:
            if other is not self and other.connected:
                other.transport.write(data)

    def drain(self):
        reactor.callLater(0.3 * (self.number % 2), self.transport.loseConnection)
"""

DIES_AT_RELOAD = """
class Service(Right):
    def connectionMade(self):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
"""

FORGETS_EVERYBODY_AT_RELOAD = """
class Service(Right):
    def connectionMade(self):
        known = signal.getsignal(signal.SIGHUP)

        def reloaded(*arguments):
            self.buffer = self._buffer = b""
            known(*arguments)

        signal.signal(signal.SIGHUP, reloaded)
"""

KNOWS_ONLY_TCP = """
class Service(Right):
    def connectionMade(self):
        self.host = self.transport.getPeer().host
"""

OPENS_A_FILE_BEFORE_IT_IS_CONNECTED = """
class Service(Right):
    def connectionLost(self, reason):
        os.close(self.file)


class Opens(Factory):
    protocol = Service

    def buildProtocol(self, addr):
        made = super().buildProtocol(addr)
        made.file = os.open("/dev/null", os.O_RDONLY)
        return made


def make():
    return Opens()
"""

LEAKS_DESCRIPTORS = """
class Service(Right):
    def connectionMade(self):
        self.file = os.open("/dev/null", os.O_RDONLY)
"""

LEAKS_MEMORY = """
class Service(Right):
    everybody = []

    def connectionMade(self):
        self.everybody.append(bytearray(16384))
"""


def install(folder: Path, source: str) -> dict[str, str]:
    """Write a service below *folder*, and return the environment in which twistd finds it."""
    plugins = folder / "twisted" / "plugins"
    plugins.mkdir(parents=True)
    (folder / "acme_broken.py").write_text(HEAD + source)
    (plugins / "acme_broken_plugin.py").write_text(
        "from socketsuite.plugin import ServicePlugin\n"
        f"one = ServicePlugin({NAME!r}, 'acme_broken:make', port=0, description='Broken')\n"
    )
    return {"PYTHONPATH": str(folder)}
