"""Binding, as a step of its own: every socket of a service, before anything is served.

The result is handed over: whoever binds need not be who serves.  Knows nothing of factories,
TLS contexts or Twisted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from socketsuite.daemon.listen.datagram_options import DatagramSettings, set_datagram_options
from socketsuite.daemon.listen.inherited import InheritedSocket, check_served
from socketsuite.daemon.listen.settings import ListenSettings
from socketsuite.daemon.listen.sockets import BoundSocket, bind_all, try_addresses


@dataclass(frozen=True)
class BindRequest:
    """What one frontend wants to be bound.

    :param frontend: its name.
    :param settings: where it listens.
    :param tcp: whether it serves streams; likewise *udp*.
    :param prefix: what its flags begin with, for errors.
    :param by_default: whether its port is its default one, whose place an inherited socket takes.
    """

    frontend: str
    settings: ListenSettings
    tcp: bool
    udp: bool
    prefix: str = ""
    by_default: bool = False


def bind(
    requests: Iterable[BindRequest],
    inherited: Sequence[InheritedSocket],
    datagrams: DatagramSettings,
    *,
    tls: bool,
) -> list[BoundSocket]:
    """Bind all that is asked for, or nothing; what is inherited already is not bound again.

    :param tls: whether there is a certificate.
    :return: the sockets, each with the name of its frontend.
    :raises StartError: naming the address that failed, the cause and the cure.
    """
    bound: list[BoundSocket] = []
    try:
        for one in requests:
            mine = [each for each in inherited if each.frontend == one.frontend]
            check_served(mine, tcp=one.tcp, udp=one.udp, tls=tls)
            where = one.settings
            if one.by_default and inherited:
                where = replace(where, port=())
            opened = bind_all(where, tcp=one.tcp, udp=one.udp, inherited=mine, prefix=one.prefix)
            bound += [replace(each, frontend=one.frontend) for each in opened]
        set_datagram_options([each.socket for each in bound if each.datagrams], datagrams)
    except BaseException:
        for each in bound:
            each.close()
        raise
    return bound


def try_binding(requests: Iterable[BindRequest], datagrams: DatagramSettings) -> None:
    """See that what is asked for could be bound, whoever has it now; nobody is disturbed.

    :raises StartError: for an address or a path that no start could have.
    """
    tried: list[BoundSocket] = []
    try:
        for one in requests:
            tried += try_addresses(one.settings, tcp=one.tcp, udp=one.udp)
        sockets = [each.socket for each in tried if each.datagrams]
        if sockets:
            set_datagram_options(sockets, datagrams)
    finally:
        for each in tried:
            each.close()
