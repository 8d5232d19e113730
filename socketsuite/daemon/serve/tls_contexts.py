"""The certificate of one service: a TLS context for each of its frontends, and its reload.

All frontends have one certificate; each offers protocols of its own (ALPN, RFC 7301).  Must not
know of sockets or ports.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.ssl import CertificateOptions

from socketsuite.daemon.config.configuration import Configuration
from socketsuite.daemon.errors import StartError
from socketsuite.daemon.listen import certificates

Contexts = Mapping[str, CertificateOptions | None]


class TLSContexts:
    """What the next TLS connection of each frontend is given.

    :ivar everywhere: whether every TCP socket is for TLS, and not only those said to be.
    """

    def __init__(self) -> None:
        self._by_frontend: Contexts = {}
        self.everywhere = False

    @property
    def certificate(self) -> CertificateOptions | None:
        """The certificate that is served; ``None`` is no TLS."""
        return next(iter(self._by_frontend.values()), None)

    @property
    def expiry(self) -> float | None:
        """When the certificate expires, in seconds since 1970; ``None`` for none."""
        return certificates.expiry(self.certificate)

    @property
    def contexts(self) -> Contexts:
        """Those that are served."""
        return self._by_frontend

    def of(self, frontend: str) -> CertificateOptions:
        """Return the context of *frontend*, as it is for the next connection."""
        context = self._by_frontend[frontend]
        assert context is not None
        return context

    def read(self, configuration: Configuration) -> Contexts:
        """Read the certificate anew; nothing changes by that.

        :raises StartError: naming the file, and what is wrong with it.
        """
        tls, origins = configuration.tls, configuration.origins
        names = [one.name for one in configuration.frontends]
        return {name: certificates.load_context(tls, origins) for name in names}

    def use(self, contexts: Contexts, factories: Mapping[str, Any]) -> None:
        """Serve *contexts* from now on.

        :param factories: of each frontend that listens, which may say what protocols it speaks.
        """
        for name, factory in factories.items():
            certificates.offer_protocols(contexts.get(name), factory)
        self._by_frontend = contexts

    def prepare(self, new: Configuration) -> tuple[Contexts, list[str], str | None]:
        """Read the certificate of a reload.

        :return: what :meth:`use` is to be given, the keys that need a restart, and the line to
            warn with.
        :raises StartError: when it cannot be used.
        """
        contexts = self.read(new)
        certificate = next(iter(contexts.values()))
        untimely = certificates.out_of_time(certificate, new.tls)
        if untimely is not None and not certificates.same(certificate, self.certificate):
            raise StartError(untimely)
        if (certificate is None) != (self.certificate is None):
            return self._by_frontend, ["tls-cert"], untimely
        return contexts, [], untimely
