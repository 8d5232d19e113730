"""Which files the sinks of one process write to, so that no two of them look after the same ones.

A sink with a template looks after all that is beneath its folder: it compresses, counts and removes
there.  This module must not know what is written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from socketsuite.services.filesink import paths
from socketsuite.settings import SettingsError
from socketsuite.storage.names import Template

# By the reactor, which is what sinks of one process have in common.
_claims: WeakKeyDictionary[Any, WeakKeyDictionary[Any, Template]] = WeakKeyDictionary()


def claim(reactor: Any, sink: Any, template: Template) -> None:
    """Have the files of *template* be those of *sink* alone, until it lets them go.

    :raises SettingsError: when another sink has some of them.
    """
    others = _claims.setdefault(reactor, WeakKeyDictionary())
    for other, its in others.items():
        if other is not sink and _overlap(template, its):
            raise SettingsError(
                f"cannot append to {template.text}: another sink has {its.text}:"
                " give each a folder of its own"
            )
    others[sink] = template


def let_go(reactor: Any, sink: Any) -> None:
    """*sink* writes no more."""
    _claims.get(reactor, WeakKeyDictionary()).pop(sink, None)


def _overlap(one: Template, other: Template) -> bool:
    (folder, name), (its_folder, its_name) = _place(one), _place(other)
    if name and its_name:
        return (folder, name) == (its_folder, its_name)
    within = name == "" and its_folder.is_relative_to(folder)
    return within or (its_name == "" and folder.is_relative_to(its_folder))


def _place(template: Template) -> tuple[Path, str]:
    folder, name = paths.resolved(template)
    return folder.resolve(), name
