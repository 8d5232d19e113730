"""The files of the chat's page: readable in both schemes, and nothing from elsewhere in them."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "socketsuite/services/chat/web/page"
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", part))
    for part in (PAGE / "colours.css").read_text().split("@media (prefers-color-scheme: dark)")
)
NICKS = [f"nick-{number}" for number in range(12)]
GROUNDS = ["ground", "side", "raised", "named"]
# What is written on what.
PAIRS = [
    *product([*NICKS, "text", "soft"], GROUNDS),
    *product(["text", "soft"], ["hover"]),
    *product(["accent", "danger"], ["ground", "raised"]),
    ("on-accent", "accent-ground"),
    ("on-chosen", "chosen"),
    ("on-warning", "warning-ground"),
    ("danger", "danger-ground"),
]


def luminance(colour: str) -> float:
    """Return the relative luminance (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_has_a_contrast_of_4_5_with_what_it_stands_on(colours: dict[str, str]) -> None:
    found = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in PAIRS}
    assert {pair: ratio for pair, ratio in found.items() if ratio < 4.5} == {}
    assert contrast(colours["edge"], colours["ground"]) >= 3  # of fields


def test_nothing_reads_markup_or_comes_from_elsewhere() -> None:
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc"
        r"|DOMParser|setHTML|\son\w+=|<style|\sstyle=|@import|url\("
    )
    found = [
        (path.name, match[0])
        for path in PAGE.glob("*.*")
        for match in forbidden.finditer(path.read_text())
    ]
    assert found == []
    addresses = {
        address
        for path in PAGE.glob("*.*")
        for address in re.findall(r"https?://[\w.]+[^\s'\"]*", path.read_text())
    }
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of a language
