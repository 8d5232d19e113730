from pathlib import Path

import pytest

from socketsuite.testing import Conformance


def big(count: int) -> tuple[bytes, bytes]:
    """Return lines of *count* bytes in all, and their rotation."""
    lines = -(-count // 16_000)
    return (b"a" * 15_999 + b"\n") * lines, (b"n" * 15_999 + b"\n") * lines


kit = Conformance(
    "acme-rot13",
    talk=[(b"hello\n", b"uryyb\n"), (b"\n", b"\n"), (b"\xff 13\r\n", b"\xff 13\r\n")],
    big=big,
    garbage=[b"a" * 20_000 + b"\n", b"\n" * 1000, b"no end of line"],
    may_close_on_garbage=True,  # a line of more than 16 KiB
)


@pytest.mark.parametrize("check", kit.checks(), ids=str)
def test_the_daemon_conforms(check, tmp_path: Path) -> None:
    check.run(tmp_path)
