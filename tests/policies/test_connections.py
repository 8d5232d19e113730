"""Whom the admission in front of a factory lets in, and which events tell of it."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock

from socketsuite.observe.events import Event, Events, Refused
from socketsuite.policies.admission import AdmissionPolicy
from socketsuite.policies.admission_factory import AdmissionFactory
from socketsuite.policies.connections import Connections
from socketsuite.policies.settings import AdmissionSettings
from socketsuite.reasons import CLOSED_IN_MID_STREAM, LOST, TLS_ERROR, USER_TIMEOUT, Reason
from socketsuite.transport.tls import stream_reason

CALLER = IPv4Address("TCP", "192.0.2.1", 5000)


class Maker(Factory):
    """Makes what *made* returns."""

    def __init__(self, made: Any) -> None:
        self.made = made

    def buildProtocol(self, addr: Any) -> Any:
        return self.made()


def admission(
    made: Any, *, by_proxy: bool = False, **settings: Any
) -> tuple[AdmissionFactory, list[Event]]:
    seconds, events, events_seen = Clock().seconds, Events(), list[Event]()
    events.subscribe(events_seen.append)
    policy = AdmissionPolicy(AdmissionSettings(**settings), seconds)
    connections = Connections("echo", events, seconds, policy)
    return AdmissionFactory(Maker(made), connections, "tcp", by_proxy=by_proxy), events_seen


def broken() -> None:
    raise ValueError("stranger")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("made", [lambda: None, broken], ids=["none", "raises"])
def test_a_caller_for_whom_no_protocol_is_made_is_refused(made: Any) -> None:
    before, events_seen = admission(made)
    assert before.buildProtocol(CALLER) is None
    assert events_seen == [Refused("echo", "tcp", "192.0.2.1:5000", "declined")]


def test_a_caller_on_a_list_is_refused_before_its_protocol_is_made() -> None:
    before, events_seen = admission(broken, deny=("192.0.2.0/24",))
    assert before.buildProtocol(CALLER) is None
    assert events_seen == [Refused("echo", "tcp", "192.0.2.1:5000", "deny")]


def test_behind_a_proxy_the_gate_tells_nothing_since_the_transport_does() -> None:
    before, events_seen = admission(lambda: None, by_proxy=True, deny=("192.0.2.0/24",))
    assert before.buildProtocol(CALLER) is None
    admitting, _ = admission(Protocol, by_proxy=True)
    assert isinstance(admitting.buildProtocol(CALLER), Protocol)
    assert events_seen == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SSL.SysCallError(-1, "Unexpected EOF"), CLOSED_IN_MID_STREAM),
        (SSL.SysCallError(errno.ECONNRESET, "ECONNRESET"), LOST),
        (SSL.SysCallError(errno.ETIMEDOUT, "ETIMEDOUT"), USER_TIMEOUT),
        (SSL.Error([("SSL", "", "bad record")]), TLS_ERROR.because("bad record")),
    ],
)
def test_the_end_of_a_tls_stream_has_the_reason_of_its_error(
    error: SSL.Error, reason: Reason
) -> None:
    assert stream_reason(error) == reason
