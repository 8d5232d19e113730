"""twisted.protocols.ftp: the standard library's ftplib and curl, passive and active."""

from __future__ import annotations

import ftplib
import io
from collections.abc import Generator

from tests.strangers.subject import SECONDS, Listener, Stranger
from tests.strangers.taking import FIRST, ran

SOURCE = """
from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.protocols.ftp import FTPFactory, FTPRealm


def factory():
    users = InMemoryUsernamePasswordDatabaseDontUse()
    users.addUser("alice", "secret")
    made = FTPFactory(Portal(FTPRealm("content", "home"), [AllowAnonymousAccess(), users]))
    made.timeOut = 60
    return made
"""


class _Client(ftplib.FTP):
    """ftplib on a connection that is there already."""

    def __init__(self, where: Listener) -> None:
        super().__init__(timeout=SECONDS)
        self.sock = where.dial()
        self.af = self.sock.family
        self.host = "127.0.0.1"
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()


def talk(where: Listener) -> None:
    large = (where.folder / "content" / "large.bin").read_bytes()
    (where.folder / "home" / "alice").mkdir(parents=True, exist_ok=True)
    for passive in (True, False):
        with _Client(where) as client:
            client.login("alice", "secret")
            client.set_pasv(passive)
            client.storbinary("STOR mine", io.BytesIO(large))
            assert "mine" in client.nlst(".")
            kept: list[bytes] = []
            client.retrbinary("RETR mine", kept.append)
            assert b"".join(kept) == large
            client.delete("mine")
    words, base = where.curl("ftp")
    more = ("--ftp-ssl-control",) if where.kind == "tls" else ()
    common = ("curl", "-sS", "--max-time", str(SECONDS), *words, *more, base + "/small.txt")
    assert ran(*common) == b"a small file\n"
    if where.kind != "proxy":
        assert ran(*common, "-P", "127.0.0.1") == b"a small file\n"


def transfer(where: Listener) -> Generator[None]:
    large = (where.folder / "content" / "large.bin").read_bytes()
    with _Client(where) as client:
        client.login()
        with client.transfercmd("RETR large.bin") as data:
            got = data.recv(FIRST)
            yield
            while piece := data.recv(1 << 16):
                got += piece
        assert client.voidresp().startswith("226")
        assert got == large


FTP = Stranger(
    "ftp",
    "`twisted.protocols.ftp.FTPFactory`",
    "ftplib, curl; passive and active",
    SOURCE,
    talk,
    transfer,
    "a download",
    absent={"unix": "the data connections need an address, which a Unix socket has not"},
    note="the data connections are the factory's own: neither TLS, limits nor figures see them",
    programs=("curl",),
)
