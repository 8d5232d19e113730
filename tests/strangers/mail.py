"""twisted.mail: SMTP with STARTTLS, and POP3, by the standard library's clients."""

from __future__ import annotations

import hashlib
import poplib
import smtplib
import ssl
from collections.abc import Generator
from email.message import EmailMessage

from tests.strangers.subject import SECONDS, Fault, Listener, Stranger
from tests.strangers.taking import FIRST

SMTP_SOURCE = """
import hashlib

from twisted.internet import ssl
from twisted.internet.defer import succeed
from twisted.mail import smtp
from twisted.mail.imap4 import LOGINCredentials, PLAINCredentials
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from zope.interface import implementer


@implementer(smtp.IMessage)
class Message:
    def __init__(self):
        self.lines = hashlib.sha256()

    def lineReceived(self, line):
        self.lines.update(line + b"\\n")

    def eomReceived(self):
        with open("delivered", "w") as file:
            file.write(self.lines.hexdigest())
        return succeed(None)

    def connectionLost(self):
        pass


@implementer(smtp.IMessageDelivery)
class Delivery:
    def receivedHeader(self, helo, origin, recipients):
        return b""

    def validateFrom(self, helo, origin):
        return origin

    def validateTo(self, user):
        return Message


@implementer(IRealm)
class Realm:
    def requestAvatar(self, who, mind, *interfaces):
        return smtp.IMessageDelivery, Delivery(), lambda: None


class Factory(smtp.SMTPFactory):
    protocol = smtp.ESMTP

    def buildProtocol(self, address):
        made = super().buildProtocol(address)
        made.challengers = {b"LOGIN": LOGINCredentials, b"PLAIN": PLAINCredentials}
        made.ctx = ssl.DefaultOpenSSLContextFactory("cert.pem", "cert.pem")
        return made


def factory():
    users = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
    return Factory(Portal(Realm(), [users]))
"""

POP3_SOURCE = """
import io

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet.protocol import Factory
from twisted.mail import pop3
from zope.interface import implementer

LINE = b"m" * 70 + b"\\n"
MESSAGES = [b"Subject: small\\n\\nhello\\n", b"Subject: large\\n\\n" + LINE * 170_000]


@implementer(pop3.IMailbox)
class Mailbox:
    def listMessages(self, index=None):
        sizes = [len(each) for each in MESSAGES]
        return sizes if index is None else sizes[index]

    def getMessage(self, index):
        return io.BytesIO(MESSAGES[index])

    def getUidl(self, index):
        return b"uid%d" % index

    def deleteMessage(self, index):
        pass

    undeleteMessages = sync = lambda self: None


@implementer(IRealm)
class Realm:
    def requestAvatar(self, who, mind, *interfaces):
        return pop3.IMailbox, Mailbox(), lambda: None


def factory():
    users = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
    made = Factory.forProtocol(pop3.POP3)
    made.protocol.portal = Portal(Realm(), [users])
    return made
"""


class _SMTP(smtplib.SMTP):
    """smtplib on a connection that is there already."""

    def __init__(self, where: Listener) -> None:
        super().__init__(timeout=SECONDS, local_hostname="localhost")
        self.sock = where.dial()
        self._host = "127.0.0.1"  # whom STARTTLS expects a certificate of
        code, said = self.getreply()
        assert code == 220, said


def letter(count: int) -> tuple[str, str]:
    """Return a message of *count* lines, and what the service keeps of it."""
    message = EmailMessage()
    message["Subject"] = "large"
    message.set_content("".join(f"line {number}\n" for number in range(count)))
    text = message.as_string()
    return text, hashlib.sha256(text.encode()).hexdigest()


def smtp_talk(where: Listener) -> None:
    with _SMTP(where) as client:
        log_in(client, where)
        for count in (1, 50_000):
            text, kept = letter(count)
            deliver(client, text)
            assert (where.folder / "delivered").read_text() == kept


def log_in(client: smtplib.SMTP, where: Listener) -> None:
    """Log in, by STARTTLS where the connection is plain."""
    if where.kind != "tls":
        client.starttls(context=where.trust())
    assert isinstance(client.sock, ssl.SSLSocket)
    client.login("alice", "secret")


def deliver(client: smtplib.SMTP, text: str) -> None:
    client.mail("alice@example.org")
    client.rcpt("bob@example.org")
    code, said = client.data(text)
    assert code == 250, said


def smtp_transfer(where: Listener) -> Generator[None]:
    with _SMTP(where) as client:
        log_in(client, where)
        client.mail("alice@example.org")
        client.rcpt("bob@example.org")
        client.putcmd("data")
        assert client.getreply()[0] == 354
        text, kept = letter(20_000)
        whole = text.replace("\n", "\r\n")
        client.send(whole[:FIRST])
        yield
        client.send(whole[FIRST:] + ".\r\n")
        assert client.getreply()[0] == 250
        assert (where.folder / "delivered").read_text() == kept


class _POP3(poplib.POP3):
    """poplib on a connection that is there already."""

    def __init__(self, where: Listener) -> None:
        self._where = where
        super().__init__("127.0.0.1", where.port, SECONDS)

    def _create_socket(self, timeout: float) -> object:
        return self._where.dial()


def pop3_talk(where: Listener) -> None:
    client = _POP3(where)
    client.user("alice")
    client.pass_("secret")
    assert client.stat()[0] == 2
    assert client.retr(1)[1] == [b"Subject: small", b"", b"hello"]
    assert client.retr(2)[1] == LARGE
    assert client.top(1, 0)[1] == [b"Subject: small", b""]
    client.quit()


LARGE = [b"Subject: large", b"", *[b"m" * 70] * 170_000]


def pop3_transfer(where: Listener) -> Generator[None]:
    client = _POP3(where)
    client.user("alice")
    client.pass_("secret")
    client._putcmd("RETR 2")  # type: ignore[attr-defined]
    assert client._getresp().startswith(b"+OK")  # type: ignore[attr-defined]
    assert client.file.readline() == b"Subject: large\r\n"
    yield
    lines = [LARGE[0]]
    while (line := client.file.readline()) != b".\r\n":
        lines.append(line.rstrip(b"\r\n"))
    assert lines == LARGE
    client.quit()


SMTP = Stranger(
    "smtp",
    "`twisted.mail.smtp.ESMTP`, with its own STARTTLS and AUTH",
    "smtplib",
    SMTP_SOURCE,
    smtp_talk,
    smtp_transfer,
    "a message on its way in, after STARTTLS",
    reasons=("closed_by_peer", "closed_by_service", "lost"),  # as smtplib ends TLS
    faults={
        ("*", "unix"): Fault(
            "EHLO asks for the peer's IP address, which a Unix socket has not",
            "'UNIXAddress' object has no attribute 'host'",
        )
    },
)
POP3 = Stranger(
    "pop3",
    "`twisted.mail.pop3.POP3`",
    "poplib",
    POP3_SOURCE,
    pop3_talk,
    pop3_transfer,
    "RETR of a large message",
)
