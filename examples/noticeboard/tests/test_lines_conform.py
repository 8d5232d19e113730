from pathlib import Path

import pytest

from socketsuite.testing import Conformance


def big(count: int) -> tuple[bytes, bytes]:
    """Return notices whose answers come to *count* bytes, and these."""
    notices = -(-count // 500)
    return (b"n" * 492 + b"\n") * notices, (b"pinned " + b"n" * 492 + b"\n") * notices


kit = Conformance(
    "acme-noticeboard",
    talk=[(b"milk is out\n", b"pinned milk is out\n"), (b" \xff\n", b"pinned \xef\xbf\xbd\n")],
    big=big,
    garbage=[b"n" * 600 + b"\n", b"no end of line"],
    may_close_on_garbage=True,  # a notice of more than 500 bytes
)


# rot13's are all run; these are of the first of two frontends.
@pytest.mark.sampled(3)
@pytest.mark.parametrize("check", kit.checks(), ids=str)
def test_the_first_frontend_conforms(check, tmp_path: Path) -> None:
    check.run(tmp_path)
