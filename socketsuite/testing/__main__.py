"""``python -m socketsuite.testing NAME``: the conformance checks, one line each.

Must not know how a check works.
"""

from __future__ import annotations

import sys

from socketsuite.testing.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
