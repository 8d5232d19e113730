"""Public: what the author of a protocol runs against it, as the suite does with its own.

Real twistd processes as test subjects (:class:`Daemon`), and the checks that any service
should pass (:class:`Conformance`, ``python -m socketsuite.testing NAME``).  Uses only what any
user has (``twistd``, sockets); needs neither pytest nor the reactor.
"""

from socketsuite.testing.certificates import Certificate
from socketsuite.testing.conversation import Conversation, Endpoint, Overheard
from socketsuite.testing.daemon import Daemon
from socketsuite.testing.kit import Conformance
from socketsuite.testing.readings import Stopwatch, until
from socketsuite.testing.replies import NonConformance, Reply
from socketsuite.testing.service_under_test import ServiceUnderTest
from socketsuite.testing.sockets import connect_tcp, read_all, read_exactly, read_line, reset

__all__ = [
    "Certificate",
    "Conformance",
    "Conversation",
    "Daemon",
    "Endpoint",
    "NonConformance",
    "Overheard",
    "Reply",
    "ServiceUnderTest",
    "Stopwatch",
    "connect_tcp",
    "read_all",
    "read_exactly",
    "read_line",
    "reset",
    "until",
]
