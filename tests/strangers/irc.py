"""twisted.words' IRC server, by Twisted's own IRC client in a process of its own, and by hand."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Generator

from socketsuite.testing import read_line
from tests.strangers.subject import SECONDS, Listener, Stranger
from tests.strangers.taking import python

SOURCE = """
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.words.service import InMemoryWordsRealm, IRCFactory


def factory():
    realm = InMemoryWordsRealm("example.org")
    realm.createGroupOnRequest = True
    users = InMemoryUsernamePasswordDatabaseDontUse()
    for name in ("alice_tcp", "alice_tls", "alice_unix", "alice_proxy", "bob"):
        users.addUser(name, "secret")
    return IRCFactory(realm, Portal(realm, [users]))
"""
# Says something in the channel, and leaves when it has heard the answer.
CLIENT = """
import sys

from twisted.internet import reactor
from twisted.internet.endpoints import clientFromString
from twisted.internet.protocol import Factory
from twisted.words.protocols.irc import IRCClient


class Client(IRCClient):
    nickname = "bob"
    password = "secret"

    def signedOn(self):
        self.join("hall")

    def joined(self, channel):
        self.msg(channel, "hello from bob")

    def privmsg(self, user, channel, message):
        print(user.partition("!")[0], channel, message, flush=True)
        self.quit("bye")

    def connectionLost(self, reason):
        reactor.stop()


made = clientFromString(reactor, sys.argv[1]).connect(Factory.forProtocol(Client))
made.addErrback(lambda failure: (print(failure), reactor.stop()))
reactor.run()
"""


def signed_on(where: Listener) -> socket.socket:
    """Return alice's connection, who is in the channel."""
    made = where.dial()
    nick = f"alice_{where.kind}"
    made.sendall(f"PASS secret\r\nNICK {nick}\r\nUSER {nick} 0 * :A\r\nJOIN #hall\r\n".encode())
    until(made, b" 366 ")
    return made


def until(connection: socket.socket, wanted: bytes) -> bytes:
    while wanted not in (line := read_line(connection)):
        assert b"ERROR" not in line, line
    return line


def talk(where: Listener) -> None:
    with where.endpoint() as endpoint, signed_on(where) as alice:
        command = python(CLIENT, endpoint)
        with subprocess.Popen(command, stdout=subprocess.PIPE) as bob:
            try:
                assert until(alice, b"PRIVMSG").startswith(b":bob!")
                alice.sendall(b"PRIVMSG #hall :hello from alice\r\n")
                said, _ = bob.communicate(timeout=SECONDS)
            finally:
                bob.kill()
        assert said == f"alice_{where.kind} #hall hello from alice\n".encode()
        until(alice, b"PART")
        alice.sendall(b"QUIT :bye\r\n")


def transfer(where: Listener) -> Generator[None]:
    with signed_on(where) as alice:
        yield
        alice.sendall(b"PING :are you there\r\n")
        until(alice, b"PONG")
        alice.sendall(b"QUIT :bye\r\n")


IRC = Stranger(
    "irc",
    "`twisted.words.service.IRCFactory`",
    "`twisted.words.protocols.irc.IRCClient`, a socket",
    SOURCE,
    talk,
    transfer,
    "a conversation",
)
