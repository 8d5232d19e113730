"""The written reference of the settings says what the code obeys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from twisted.internet.protocol import ServerFactory

from socketsuite.daemon.config.reference import main, reference
from socketsuite.plugin import ServicePlugin
from socketsuite.settings import setting

COMMITTED = Path(__file__).parents[2] / "docs" / "settings.md"


@dataclass(eq=False)
class SampleFactory(ServerFactory):
    style: str = setting("a|b", "how it looks", metavar="A|B")
    depth: tuple[int, ...] = setting(help="how deep", minimum=1)


SAMPLE = ServicePlugin("acme-test", f"{__name__}:SampleFactory", port=9100, description="A test")


def test_docs_settings_md_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    main()
    assert capsys.readouterr().out == COMMITTED.read_text(), "run: make docs"


def test_a_services_own_settings_stand_under_its_name_with_all_their_names() -> None:
    section = reference([SAMPLE]).partition("## acme-test\n")[2].splitlines()
    assert section[1] == "A test. Default port: 9100."
    style, depth = section[5:]
    cells = ("`--style A\\|B`", "`ACME_TEST_STYLE`", "`style`", "a\\|b", "text", "restart")
    assert style == f"| {' | '.join(cells)} | how it looks |"
    assert depth.startswith("| `--depth N` | `ACME_TEST_DEPTH` | `depth` | required |")
    assert depth.endswith("| a whole number, 1 or more; repeatable | restart | how deep |")


def test_what_every_daemon_takes_is_told_once() -> None:
    other = ServicePlugin("acme-other", f"{__name__}:SampleFactory", port=1, description="Other")
    text = reference([SAMPLE, other])
    assert text.count("`--backlog N`") == 1
    assert text.count("`--depth N`") == 2
    assert text.index("`--backlog N`") < text.index("## acme-other") < text.index("## acme-test")
