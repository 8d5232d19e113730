"""Network daemons on Twisted, and the daemon around any Twisted protocol.

This module holds the version and nothing else: importing it must stay free of
the reactor and of every service, because twistd imports it to list plugins.
"""

__version__ = "0.1.0"
