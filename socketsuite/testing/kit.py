"""The conformance kit: what is known of a protocol, and the checks that this makes possible.

Must not know how a check works, nor how its result is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from socketsuite.testing.checks import CHECKS
from socketsuite.testing.checks.base import Check
from socketsuite.testing.service_under_test import ServiceUnderTest


@dataclass(frozen=True, eq=False)
class Conformance(ServiceUnderTest):
    """A service, and what its author says of its protocol.

    ::

        kit = Conformance("acme-rot13", talk=[(b"hello\\n", b"uryyb\\n")])

        @pytest.mark.parametrize("check", kit.checks(), ids=str)
        def test_conformance(check, tmp_path):
            check.run(tmp_path)

    Everything but the name may be left out; :meth:`checks` then has fewer.

    Its parameters are those of :class:`ServiceUnderTest`.
    """

    def checks(self) -> list[Check]:
        """Return the checks that apply to what is known, in the order they are best run in."""
        return [check for check in self.all_checks() if not check.lacks]

    def all_checks(self) -> list[Check]:
        """Return every check; one whose ``lacks`` is not empty does not apply, and says why."""
        return [check(self) for check in CHECKS]
