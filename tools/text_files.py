"""Line ends and file ends: no blanks at the end of a line, one newline at the end of a file.

``python tools/text_files.py [FILE…]`` looks at the files named, or at all that git knows, and
names those that are otherwise.  Exit status 1 if there are any.  With ``--fix`` it mends them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def tidy(content: bytes) -> bytes:
    """Return *content* as it should be; what is not text is returned as it is."""
    if b"\0" in content:
        return content
    lines = [line.rstrip(b" \t\r") for line in content.split(b"\n")]
    text = b"\n".join(lines).rstrip(b"\n")
    return text + b"\n" if text else b""


def tracked() -> list[str]:
    """Return the files that git knows; none where there is no git, as in an unpacked sdist."""
    listing = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=False).stdout
    return [name for name in listing.decode().split("\0") if name]


def main(words: Sequence[str]) -> int:
    """Look, and mend if asked; return the exit status."""
    fix = "--fix" in words
    untidy = 0
    for name in [word for word in words if word != "--fix"] or tracked():
        path = Path(name)
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if tidy(content) == content:
            continue
        if fix:
            path.write_bytes(tidy(content))
        else:
            untidy += 1
            print(f"{name}: blanks at a line's end, or not one newline at the file's end")
    return 1 if untidy else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
