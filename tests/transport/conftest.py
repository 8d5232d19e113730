"""Every test of the burst transport runs on both of its loops, the compiled one and Python's.

They share all that is out of the ordinary, so that of the tests on Python's loop ``make test`` runs
a part, always the same one, and ``make test-thorough`` all.
"""

from __future__ import annotations

import zlib

import pytest

from socketsuite.transport import compiled

COMPILED = pytest.param(
    "compiled",
    marks=pytest.mark.skipif(not compiled.AVAILABLE, reason="the burst is not compiled here"),
)
# The last three are about what is compiled alone.
WITHOUT_A_BURST = {
    "test_datagram_port",
    "test_datagram_addresses",
    "test_pieces",
    "test_turns",
    "test_accepting",
    "test_compiled",
    "test_compiled_datagrams",
    "test_compiled_turns",
}
ONE_IN = 8


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have each test twice."""
    name = f"{metafunc.module.__name__}.{metafunc.function.__name__}"
    # Hypothesis chooses by itself; pytest-twisted runs no test of its with parameters.
    if name.split(".")[-2] in WITHOUT_A_BURST or hasattr(metafunc.function, "hypothesis"):
        return
    rare = compiled.AVAILABLE and zlib.crc32(name.encode()) % ONE_IN != 0
    python = pytest.param("python", marks=[pytest.mark.thorough] if rare else [])
    metafunc.parametrize("loop", [COMPILED, python], indirect=True)


@pytest.fixture(autouse=True)
def loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which of the loops it is."""
    chosen = getattr(request, "param", "compiled" if compiled.AVAILABLE else "python")
    if chosen == "python":
        monkeypatch.setattr(compiled, "AVAILABLE", False)
    return str(chosen)
