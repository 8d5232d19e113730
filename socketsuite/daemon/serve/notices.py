"""What an operator is told at a service's start, beside where it listens."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.internet.ssl import CertificateOptions

from socketsuite.daemon.config.configuration import Configuration
from socketsuite.daemon.listen import certificates
from socketsuite.daemon.listen.settings import LOOPBACK
from socketsuite.observe.events import Notice
from socketsuite.transport.burst import AVAILABLE


def start_notices(
    configuration: Configuration, certificate: CertificateOptions | None, *, inherited: bool
) -> Iterator[Notice]:
    """Yield the notices.

    :param inherited: whether the service was started with sockets.
    """
    name = configuration.name
    for text in configuration.notices:
        yield Notice(name, text, "warn")
    untimely = certificates.out_of_time(certificate, configuration.tls)
    if untimely is not None:
        yield Notice(name, untimely, "warn")
    ports = any(one.listen.port or one.listen.tls_port for one in configuration.frontends)
    if ports and configuration.listen.interface == LOOPBACK and not inherited:
        yield Notice(name, "only this machine can connect; --interface :: opens it to the network")
    if configuration.listen.transport != "twisted" and not AVAILABLE:
        yield Notice(name, "no epoll on this machine: using Twisted's own transport")
