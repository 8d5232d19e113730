"""Public: what the author of a protocol runs against it, as the suite does with its own.

Uses only what any user has (``twistd``, sockets); needs neither pytest nor the reactor.
"""

from socketsuite.testing.daemon import Daemon, read_all, read_exactly, read_line

__all__ = ["Daemon", "read_all", "read_exactly", "read_line"]
