"""The file sink, killed while senders upload: short forms of ``campaigns.filesink.kills``."""

from __future__ import annotations

import pytest

from tests.campaigns.filesink import kills


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(
            number, id=" ".join(form[:2]), marks=() if not number else pytest.mark.thorough
        )
        for number, form in enumerate(kills.FORMS)
    ],
)
def test_what_a_killed_sink_had_acknowledged_is_there_once(form: int) -> None:
    # Where the machine is busy, nothing may have been acknowledged at the moment of a kill.
    assert any(kills.run(form, 2, seed=1, longest=seconds) > 0 for seconds in (0.4, 2.0, 10.0))
