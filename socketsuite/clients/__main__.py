"""``python -m socketsuite.clients``: the same as the ``socketsuite`` command."""

from socketsuite.clients.entry import main

main()
