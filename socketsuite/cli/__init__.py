"""The ``socketsuite`` command: clients for the suite's daemons and for everybody else's.

Each command is one module with its click declaration at the end.  This room must not know
how a daemon works inside; it talks to them as any stranger does, over sockets.
"""
