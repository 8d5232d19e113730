"""Garbage before the protocol begins: in the PROXY header, and in the TLS handshake.

Must not know what the service says; it should never hear of these callers.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import ssl
from pathlib import Path

from socketsuite.testing import proxy
from socketsuite.testing.certificates import HOST, Certificate
from socketsuite.testing.checks.base import Check, all_given_back, descriptors_at_rest
from socketsuite.testing.daemon import Daemon
from socketsuite.testing.mutations import mutations
from socketsuite.testing.replies import NonConformance

_WHOLE = 1000
_AT_ONCE = 20
_EVERY_OTHER = 2


class Handshakes(Check):
    """Callers who begin with a wrong PROXY header, or a wrong TLS handshake, disturb nobody.

    Headers of both versions and a ClientHello, made wrong by a seeded generator, 1,000 of each
    at ``scale=1``, and by Twisted's own transport too; others are served by TLS behind a right
    header meanwhile, no bug is logged, and every descriptor is given back.
    """

    name = "handshakes"

    def run(self, folder: Path) -> None:
        """Serve TLS behind a proxy."""
        self._certificate = Certificate.make(folder)
        proxied = ("--proxy-from", "127.0.0.1", "--handshake-timeout", "2")
        for transport in ("burst", "twisted") if self.kit.scale >= 1 else ("burst",):
            try:
                arguments = (*self._certificate.arguments, *proxied)
                self.run_on(folder, "--transport", transport, *arguments)
            except NonConformance as error:
                raise NonConformance(f"--transport {transport}, {error}", error.seed) from None

    def examine(self, daemon: Daemon) -> None:
        """Send them, a batch at a time."""
        self.kit.prove_alive(daemon, lambda: self._connect(daemon))
        before = descriptors_at_rest(daemon)
        seed, count = self.kit.seed, self.times(_WHOLE)
        headers = mutations([proxy.header(1), proxy.header(2)], seed, count)
        good = itertools.cycle([proxy.header(1), proxy.header(2)])
        hellos = mutations([_client_hello(self._certificate)], seed, count)
        inputs = itertools.chain(headers, (next(good) + hello for hello in hellos))
        chance, number = random.Random(seed), 0
        while batch := list(itertools.islice(inputs, _AT_ONCE)):
            self._send(daemon, batch, chance)
            try:
                self.kit.prove_alive(daemon, lambda: self._connect(daemon))
            except (NonConformance, OSError) as error:
                where = f"seed {seed}, behind inputs {number} to {number + len(batch) - 1}"
                raise NonConformance(f"another connection: {error} ({where})", seed) from None
            number += len(batch)
        all_given_back(daemon, before, "wrong handshakes")

    def conclude(self, daemon: Daemon) -> None:
        """End it; over plain TCP there is nobody to be served."""
        self.end(daemon)

    def _connect(self, daemon: Daemon) -> ssl.SSLSocket:
        return daemon.connect_tls(self._certificate.client(), proxy.header(2))

    def _send(self, daemon: Daemon, batch: list[bytes], chance: random.Random) -> None:
        """Send each on a connection of its own; half of them end by FIN, half just end."""
        port = daemon.port("tls")
        with contextlib.ExitStack() as stack:
            for data in batch:
                caller = stack.enter_context(daemon.connect(port=port))
                with contextlib.suppress(OSError):  # closed already, which is right
                    caller.sendall(data)
                    if chance.randrange(_EVERY_OTHER):
                        caller.shutdown(socket.SHUT_WR)


def _client_hello(certificate: Certificate) -> bytes:
    heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = certificate.client().wrap_bio(heard, said, server_hostname=HOST)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return said.read()
