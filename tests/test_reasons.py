"""Every reason is declared once, with a label that all who count may use."""

from __future__ import annotations

import re

from socketsuite import reasons
from socketsuite.reasons import CLOSED, REFUSED, Reason


def test_every_constant_is_a_label_that_is_named_like_it_and_explained() -> None:
    declared = {name: each for name, each in vars(reasons).items() if isinstance(each, Reason)}
    assert {each.label for each in declared.values()} == {*CLOSED, *REFUSED}
    for name, each in declared.items():
        assert each.label == name.lower()
        assert re.fullmatch("[a-z][a-z_]*", each.label)
    for meaning in (*CLOSED.values(), *REFUSED.values()):
        assert meaning
        assert "|" not in meaning


def test_a_detail_leaves_the_label_as_it_is() -> None:
    told = reasons.HANDSHAKE_FAILED.because("no shared cipher")
    assert told == Reason("handshake_failed", "no shared cipher")
    assert reasons.HANDSHAKE_FAILED.detail is None
