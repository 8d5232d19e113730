"""``python -m socketsuite.cli``: the same as the ``socketsuite`` command."""

from socketsuite.cli.entry import main

main()
