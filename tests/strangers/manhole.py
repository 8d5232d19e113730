"""twisted.conch's manholes: an interpreter by ssh and by telnet, with the programs of that name."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.strangers.subject import SECONDS, Listener, Stranger

SSH_SOURCE = """
from cryptography.hazmat.primitives.asymmetric import ed25519
from twisted.conch.checkers import SSHPublicKeyChecker, UNIXAuthorizedKeysFiles
from twisted.conch.manhole import Manhole
from twisted.conch.manhole_ssh import ConchFactory, TerminalRealm
from twisted.conch.insults import insults
from twisted.conch.ssh.keys import Key
from twisted.cred.portal import Portal


class Authorized:
    def getAuthorizedKeys(self, username):
        try:
            return [Key.fromFile("ssh_key.pub")]
        except FileNotFoundError:
            return []


def factory():
    realm = TerminalRealm()
    realm.chainedProtocolFactory = lambda: insults.ServerProtocol(Manhole, {"answer": 42})
    made = ConchFactory(Portal(realm, [SSHPublicKeyChecker(Authorized())]))
    host = Key(ed25519.Ed25519PrivateKey.generate())
    made.privateKeys = {b"ssh-ed25519": host}
    made.publicKeys = {b"ssh-ed25519": host.public()}
    return made
"""
TELNET_SOURCE = """
from twisted.conch.insults import insults
from twisted.conch.manhole import Manhole
from twisted.conch.telnet import AuthenticatingTelnetProtocol, ITelnetProtocol
from twisted.conch.telnet import TelnetBootstrapProtocol, TelnetTransport
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet.protocol import Factory
from zope.interface import implementer


@implementer(IRealm)
class Realm:
    def requestAvatar(self, who, mind, *interfaces):
        shell = TelnetBootstrapProtocol(insults.ServerProtocol, Manhole, {"answer": 42})
        return ITelnetProtocol, shell, lambda: None


def factory():
    users = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
    portal = Portal(Realm(), [users])
    made = Factory()
    made.protocol = lambda: TelnetTransport(AuthenticatingTelnetProtocol, portal)
    return made
"""
# What is typed, and what is shown for it.
QUESTION, ANSWER = b"print('answer is', answer * 1000)\r", b"answer is 42000"
PIECES = 3_000
LARGE = b"print('\\n'.join('%%05d' %% n for n in range(%d)))\r" % PIECES
LAST = b"%05d" % (PIECES - 1)
END = b"\x04"


class Terminal:
    """A program that shows an interpreter's terminal."""

    def __init__(self, *command: str) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0)
        self.shown = b""

    def type(self, text: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text)

    def until(self, wanted: bytes) -> None:
        assert self.process.stdout is not None
        while wanted not in self.shown:
            piece = self.process.stdout.read(1 << 16)
            assert piece, (wanted, self.shown, self.errors())
            self.shown += piece

    def errors(self) -> bytes:
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


def keys(folder: Path) -> Path:
    """Return the file of a key that the service lets in."""
    private = folder / "ssh_key"
    if not private.exists():
        key = ed25519.Ed25519PrivateKey.generate()
        text = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        (folder / "ssh_key.pub").write_bytes(public)
        descriptor = os.open(private, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
    return private


def ssh(where: Listener, port: int) -> Terminal:
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": str(int(SECONDS)),
        "IdentitiesOnly": "yes",
        "LogLevel": "ERROR",
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
    }
    if where.kind == "unix":
        options["ProxyCommand"] = f"nc.openbsd -U {where.path}"
    elif where.kind == "tls":
        through = f"-connect 127.0.0.1:{where.port} -CAfile {where.authority}"
        options["ProxyCommand"] = f"openssl s_client -quiet -verify_quiet {through}"
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    command = ("ssh", "-F", "none", "-tt", "-i", str(keys(where.folder)), "-p", str(port))
    return Terminal(*command, *words, "alice@127.0.0.1")


def ssh_talk(where: Listener) -> None:
    with where.as_tcp() as port:
        answers(ssh(where, port))


def answers(terminal: Terminal) -> None:
    """The interpreter answers, and goes when it is told so."""
    try:
        terminal.until(b">>> ")
        terminal.type(QUESTION)
        terminal.until(ANSWER)
        terminal.type(END)
        terminal.process.wait(SECONDS)
    finally:
        terminal.close()


def ssh_transfer(where: Listener) -> Generator[None]:
    with where.as_tcp() as port:
        yield from in_mid_answer(ssh(where, port))


def in_mid_answer(terminal: Terminal) -> Generator[None]:
    try:
        terminal.until(b">>> ")
        terminal.type(LARGE)
        terminal.until(b"00001")
        yield
        terminal.until(LAST)
        terminal.type(END)
        terminal.process.wait(SECONDS)
    finally:
        terminal.close()


def telnet(port: int) -> Terminal:
    terminal = Terminal("telnet", "-E", "127.0.0.1", str(port))
    terminal.until(b"Username: ")
    terminal.type(b"alice\n")
    terminal.until(b"Password: ")
    terminal.type(b"secret\n")
    return terminal


def telnet_talk(where: Listener) -> None:
    with where.as_tcp() as port:
        answers(telnet(port))


def telnet_transfer(where: Listener) -> Generator[None]:
    with where.as_tcp() as port:
        yield from in_mid_answer(telnet(port))


SSH = Stranger(
    "ssh",
    "`twisted.conch.manhole_ssh.ConchFactory`",
    "ssh",
    SSH_SOURCE,
    ssh_talk,
    ssh_transfer,
    "a long answer",
    programs=("ssh", "nc.openbsd", "openssl"),
    packages=("bcrypt",),
)
TELNET = Stranger(
    "telnet",
    "`twisted.conch.telnet.TelnetTransport` with a manhole",
    "telnet",
    TELNET_SOURCE,
    telnet_talk,
    telnet_transfer,
    "a long answer",
    programs=("telnet",),
    packages=("bcrypt",),
)
