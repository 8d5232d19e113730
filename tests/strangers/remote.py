"""Calls from afar: AMP and Perspective Broker, by Twisted's own clients in another process."""

from __future__ import annotations

from collections.abc import Generator

from tests.strangers.subject import Listener, Stranger
from tests.strangers.taking import line_controlled, python, ran

AMP_COMMANDS = """
from twisted.protocols import amp


class Sum(amp.Command):
    arguments = [(b"a", amp.Integer()), (b"b", amp.Integer())]
    response = [(b"total", amp.Integer())]


class Fetch(amp.Command):
    arguments = [(b"number", amp.Integer())]
    response = [(b"piece", amp.String())]


class Divide(amp.Command):
    arguments = Sum.arguments
    response = Sum.response
    errors = {ZeroDivisionError: b"ZERO"}


SIZE, COUNT = 60_000, 200


def piece(number):
    return bytes([number]) * SIZE
"""
AMP_SOURCE = (
    AMP_COMMANDS
    + """
from twisted.internet.protocol import Factory
from twisted.internet.ssl import PrivateCertificate


class Server(amp.AMP):
    @Sum.responder
    def sum(self, a, b):
        return {"total": a + b}

    @Divide.responder
    def divide(self, a, b):
        return {"total": a // b}

    @Fetch.responder
    def fetch(self, number):
        return {"piece": piece(number)}

    @amp.StartTLS.responder
    def start_tls(self):
        with open("cert.pem") as file:
            return {"tls_localCertificate": PrivateCertificate.loadPEM(file.read())}


def factory():
    return Factory.forProtocol(Server)
"""
)
# What both clients are: connect to the endpoint, do it, and stop.
RUN = """
import sys

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import clientFromString, connectProtocol
from twisted.internet.task import react
from twisted.internet.threads import deferToThread

endpoint = clientFromString(reactor, sys.argv[1])


async def told_to_go_on(transport):
    transport.pauseProducing()
    print("begun", flush=True)
    await deferToThread(sys.stdin.readline)
    transport.resumeProducing()


"""
AMP_CLIENT = (
    AMP_COMMANDS
    + RUN
    + """
from twisted.internet.ssl import Certificate


async def talk():
    client = await connectProtocol(endpoint, amp.AMP())
    assert (await client.callRemote(Sum, a=2, b=3))["total"] == 5
    try:
        await client.callRemote(Divide, a=1, b=0)
    except ZeroDivisionError:
        pass
    if sys.argv[3] != "tls":
        with open(sys.argv[4]) as file:
            authority = Certificate.loadPEM(file.read())
        await client.callRemote(amp.StartTLS, tls_verifyAuthorities=[authority])
    answers = await gatherResults([client.callRemote(Fetch, number=n) for n in range(COUNT)])
    assert [each["piece"] for each in answers] == [piece(n) for n in range(COUNT)]
    print("whole")


async def transfer():
    client = await connectProtocol(endpoint, amp.AMP())
    calls = [client.callRemote(Fetch, number=n) for n in range(COUNT)]
    await calls[0]
    await told_to_go_on(client.transport)
    answers = await gatherResults(calls[1:])
    assert [each["piece"] for each in answers] == [piece(n) for n in range(1, COUNT)]
    print("whole")


def main(reactor):
    return Deferred.fromCoroutine({"talk": talk, "transfer": transfer}[sys.argv[2]]())


react(main)
"""
)

PB_SOURCE = """
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.spread import pb
from twisted.spread.util import StringPager
from zope.interface import implementer

LARGE = bytes(range(256)) * 48_000


class Avatar(pb.Avatar):
    def perspective_reversed(self, things):
        return things[::-1]

    def perspective_fetch(self, collector):
        StringPager(collector, LARGE, 100_000)

    def perspective_fail(self):
        raise pb.Error("on purpose")


@implementer(IRealm)
class Realm:
    def requestAvatar(self, who, mind, *interfaces):
        return pb.IPerspective, Avatar(), lambda: None


def factory():
    users = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
    return pb.PBServerFactory(Portal(Realm(), [users]))
"""
PB_CLIENT = (
    RUN
    + """
from twisted.cred.credentials import UsernamePassword
from twisted.spread import pb
from twisted.spread.util import CallbackPageCollector


class Collector(CallbackPageCollector):
    def __init__(self):
        self.all, self.first = Deferred(), Deferred()
        super().__init__(self.all.callback)

    def remote_gotPage(self, page):
        super().remote_gotPage(page)
        if not self.first.called:
            self.first.callback(None)


async def main(reactor):
    factory = pb.PBClientFactory()
    await endpoint.connect(factory)
    alice = await factory.login(UsernamePassword(b"alice", b"secret"))
    if sys.argv[2] == "talk":
        assert await alice.callRemote("reversed", [1, b"two", "three"]) == ["three", b"two", 1]
        try:
            await alice.callRemote("fail")
        except pb.RemoteError:
            pass
    collector = Collector()
    await alice.callRemote("fetch", collector)
    await collector.first
    if sys.argv[2] == "transfer":
        await told_to_go_on(alice.broker.transport)
    assert b"".join(await collector.all) == bytes(range(256)) * 48_000
    print("whole")


react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
"""
)


def talked(source: str, where: Listener) -> None:
    with where.endpoint() as endpoint:
        assert ran(*python(source, endpoint, "talk", where.kind, where.authority)) == b"whole\n"


def transferred(source: str, where: Listener) -> Generator[None]:
    with where.endpoint() as endpoint:
        yield from line_controlled(python(source, endpoint, "transfer"))


AMP = Stranger(
    "amp",
    "`twisted.protocols.amp.AMP`, with its own StartTLS",
    "`amp.AMP`",
    AMP_SOURCE,
    lambda where: talked(AMP_CLIENT, where),
    lambda where: transferred(AMP_CLIENT, where),
    "200 answers",
)
PB = Stranger(
    "pb",
    "`twisted.spread.pb.PBServerFactory`",
    "`pb.PBClientFactory`",
    PB_SOURCE,
    lambda where: talked(PB_CLIENT, where),
    lambda where: transferred(PB_CLIENT, where),
    "pages of a large string",
)
