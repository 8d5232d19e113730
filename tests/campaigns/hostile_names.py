"""Make files' names of a million hostile ones, and see that none leaves its folder.

Run from the project's folder: ``python -m tests.campaigns.hostile_names``; a minute.  Exit status
1 if a path leaves the folder, is a sink's own, or is that of two names.
"""

from __future__ import annotations

import argparse
import sys

from socketsuite.storage.names import Template
from tests.support.hostile_names import check_names, hostile_names


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--names", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    stream, peer = Template("{stream}"), Template("{peer}")
    try:
        names = hostile_names(options.names, options.seed)
        different = check_names((one, stream.expand(stream=one)) for one in names)
        names = hostile_names(options.names, options.seed)
        check_names((one, peer.expand(peer=one)) for one in names)
    except AssertionError as error:
        print(f"seed {options.seed}: {error}")
        return 1
    print(f"{options.names} names, {different} different ones: none left its folder")
    return 0


if __name__ == "__main__":
    sys.exit(main())
