"""Finds the files of one stream by the template that they were named by, without a journal.

This module must not know what is in the files.
"""

from __future__ import annotations

import contextlib

from socketsuite.storage.beneath import Folder
from socketsuite.storage.finished import DEEPEST, files_beneath
from socketsuite.storage.names import Template, is_numbered
from socketsuite.storage.numbered import list_numbered
from socketsuite.storage.segments import find_segments, list_segments
from socketsuite.storage.template_match import TemplateMatch


def unordered(template: Template) -> frozenset[str]:
    """Return the placeholders that do not tell which file of a stream comes first."""
    return template.fields & {"peer", "connection"}


def files_of(folder: Folder, template: Template, stream: str) -> list[str]:
    """Return the files of *stream* beneath *folder*, by their days and numbers.

    :raises OSError: when they cannot be listed.
    """
    matches = TemplateMatch(template)
    paths = [path for path, _ in files_beneath(folder)]
    paths += [one.file for one in find_segments(folder, DEEPEST)]
    told = [one for one in map(matches.match, paths) if one is not None]
    dates = sorted({one.date for one in told})
    names = [template.expand(date=date, stream=stream) for date in dates]
    there = {one.name for one in told}
    return [path for name in names if name in there for path in _in_order(folder, name)]


def _in_order(folder: Folder, name: str) -> list[str]:
    """Return the files of a name, the one that is written to last."""
    if is_numbered(name):
        return [one.name for one in list_numbered(folder, name)]
    found = [one.name for one in list_segments(folder, name)]
    with contextlib.suppress(FileNotFoundError):
        folder.stat(name)
        found.append(name)
    return found
