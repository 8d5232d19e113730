"""The file sink after a power loss: short forms of ``tests.campaigns.filesink.crash_states``."""

from __future__ import annotations

import pytest

from tests.campaigns.filesink import crash_states
from tests.campaigns.filesink.uploads import Form
from tests.support.peers import program


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(form, id=" ".join(form[:2]), marks=() if not number else pytest.mark.thorough)
        for number, form in enumerate(crash_states.FORMS)
    ],
)
def test_each_moment_of_a_run_is_recovered_from_with_all_that_was_acknowledged(
    form: Form,
) -> None:
    count, wrong = crash_states.run_form(program("strace"), form, seed=1, size=30_000, each=1)
    assert count > 50
    assert wrong == []
