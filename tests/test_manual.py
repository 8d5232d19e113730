"""The manual pages say what the code obeys, in roff that roff understands."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from socketsuite.daemon.config.groups import groups_of
from socketsuite.service import installed_services
from tests.support.peers import program
from tools.commands import Command, daemons
from tools.manual import manual, page, roff

COMMITTED = Path(__file__).parents[1] / "man"
PAGES = manual()


def test_man_is_up_to_date() -> None:
    assert {path.name: path.read_text() for path in COMMITTED.iterdir()} == PAGES, "run: make docs"


def printed(text: str) -> str:
    """Return what groff makes of a page, on lines of any length."""
    groff = [program("groff"), "-man", "-ww", "-K", "utf8", "-Tutf8", "-rLL=2000n", "-P-cbou"]
    done = subprocess.run(groff, input=text, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_page_is_printed_without_a_warning(name: str) -> None:
    text = printed(PAGES[name])
    assert text.index("NAME") < text.index("SYNOPSIS") < text.index("SEE ALSO")


@pytest.mark.parametrize("command", [one for one in daemons() if one.name != "socketsuite"])
def test_every_setting_stands_on_its_daemon_s_page(command: Command) -> None:
    name = command.name
    text = printed(PAGES[f"twistd-{name}.1"])
    for group in groups_of(installed_services()[name]):
        for item in group.settings:
            assert re.search(rf"^ +{item.flag}\b", text, re.M), item.flag
            assert item.help.replace("-", "") in re.sub("[-\u2010]", "", text)


def test_a_page_refers_to_pages_that_there_are() -> None:
    for text in PAGES.values():
        for name in re.findall(r"^\.BR (\S+) \(1\)", text, re.M):
            assert f"{name}.1".replace("\\-", "-") in PAGES


def test_text_that_roff_would_obey_is_printed_as_it_is() -> None:
    text = ".so /etc/passwd\n'quoted' \\fBbold\\fR -x"
    shown = printed(page("name", "summary", [("TEXT", [".nf", roff(text), ".fi"])]))
    assert [line.strip() for line in shown.splitlines() if line.startswith("  ")][1:3] == (
        text.splitlines()
    )
