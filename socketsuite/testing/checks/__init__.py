"""The checks, one module each; none of them may know another."""

from socketsuite.testing.checks.base import Check
from socketsuite.testing.checks.big_reply import BigReply
from socketsuite.testing.checks.drain import Drain
from socketsuite.testing.checks.flood import Flood
from socketsuite.testing.checks.garbage import Garbage
from socketsuite.testing.checks.half_close import HalfClose
from socketsuite.testing.checks.handshakes import Handshakes
from socketsuite.testing.checks.leak import Leak
from socketsuite.testing.checks.matrix import Matrix
from socketsuite.testing.checks.pauses import Pauses
from socketsuite.testing.checks.reload import Reload
from socketsuite.testing.checks.resets import Resets
from socketsuite.testing.checks.slow_reader import SlowReader
from socketsuite.testing.checks.splits import Splits

CHECKS: tuple[type[Check], ...] = (
    Matrix,
    Splits,
    HalfClose,
    BigReply,
    Pauses,
    SlowReader,
    Flood,
    Resets,
    Garbage,
    Handshakes,
    Drain,
    Reload,
    Leak,
)
"""Every check, in the order they are best run in: the plainest failures first."""
