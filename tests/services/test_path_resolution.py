"""What a path leads through, step by step, as the kernel resolves it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from socketsuite.services.watch.path_resolution import MOST_LINKS, resolve


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path.resolve()
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "f").touch()
    links = {"b": "a/b", "f": "b/f", "abs": str(root / "b"), "a/up": "../abs/../b", "gone": "b/no"}
    for name, target in links.items():
        (root / name).symlink_to(target)
    return root


@pytest.mark.parametrize("path", ["a/b/f", "b/f", "f", "abs/f", "a/up/f", "a/up/../b/./f", "gone"])
def test_the_file_is_where_the_kernel_finds_it(tree: Path, path: str) -> None:
    found = resolve(tree / path)
    assert found.file is not None
    assert os.path.join(*found.file) == os.fsencode(os.path.realpath(tree / path))
    for folder, (device, inode) in found.folders.items():
        seen = os.lstat(folder)
        assert (seen.st_dev, seen.st_ino) == (device, inode)


def test_every_link_on_the_way_is_named_with_its_folder(tree: Path) -> None:
    entries = resolve(tree / "a" / "up" / "f").entries
    here, inside = os.fsencode(tree), os.fsencode(tree / "a")
    assert [entry[:2] for entry in entries] == [(inside, b"up"), (here, b"abs"), (here, b"b")]


def test_where_the_way_is_broken_the_missing_component_is_named(tree: Path) -> None:
    found = resolve(tree / "a" / "no" / "f")
    assert found.file is None
    assert found.entries == [(os.fsencode(tree / "a"), b"no", b"")]
    assert resolve(tree / "a" / "b" / "f" / "g").file is None


def test_a_relative_path_begins_in_the_current_folder(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    assert resolve(Path("b/f")) == resolve(tree / "b" / "f")
    assert resolve(Path("b/f")) != resolve(tree / "a" / "b" / "f")


def test_a_circle_of_links_ends_where_the_kernel_ends_it(tree: Path) -> None:
    (tree / "ring").symlink_to("ring")
    found = resolve(tree / "ring" / "f")
    assert found.file is None
    assert len(found.entries) == MOST_LINKS + 1


def test_links_that_grow_the_path_without_end_are_given_up(tree: Path) -> None:
    (tree / "grows").symlink_to("a/../" * 60 + "grows")
    with pytest.raises(OSError, match="more than 256"):
        resolve(tree / "grows")
