"""What kind of value a setting has, read from its annotation.

This module must not know of flags, variables or files.
"""

from __future__ import annotations

import collections.abc
import enum
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from socketsuite.settings.values import DURATION, READERS, duration

CURE = (
    "say int, float, bool, str, Path, Literal[…], an Enum, any of these | None or joined by |,"
    " tuple[…, ...] or list[…] of them; or pass parse=; settings_table() is for a dataclass of"
    " settings"
)
_COLLECTIONS: dict[Any, Callable[[Any], Any]] = {
    tuple: tuple,
    list: list,
    collections.abc.Sequence: tuple,
}
# Text is tried in this order: everything reads as a path or as text, so these come last.
_ORDER = (int, float, bool, Path, str)
_NATIVE: dict[type, tuple[type, ...]] = {int: (int,), float: (float, int), bool: (bool,)}
_NOUNS = {int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}
_PLACEHOLDERS = {int: "N", float: "NUMBER", bool: "BOOL", Path: "PATH"}


class UnknownKindError(Exception):
    """An annotation that no setting can have; its text says what is wrong with it."""


@dataclass(frozen=True)
class Kind:
    """The values that one setting takes: of some types, or chosen by words, or both.

    :ivar types: in the order in which text is tried.
    :ivar words: what may be said, and the value that each word stands for.
    :ivar collect: makes the whole of several values; ``None`` for a setting with one.
    :ivar seconds: whether its numbers are times, which may be said with units.
    """

    types: tuple[type, ...] = ()
    words: tuple[tuple[str, Any], ...] = ()
    collect: Callable[[Any], Any] | None = None
    seconds: bool = False

    @property
    def harmless(self) -> bool:
        """Whether a wrong value may be shown to anybody: it was to be a number or a choice."""
        return not {str, Path} & set(self.types)

    @property
    def nouns(self) -> str:
        """The types in words, such as ``a whole number or text``."""
        if self.seconds:
            return DURATION
        return " or ".join(_NOUNS.get(one, "text") for one in self.types)

    @property
    def placeholder(self) -> str:
        """What stands for a value in help texts."""
        said = [word for word, _ in self.words]
        if self.seconds:
            return "|".join([*said, "SECONDS"])
        return "|".join([*said, *(_PLACEHOLDERS.get(one, "TEXT") for one in self.types)])

    def word_of(self, value: Any) -> str | None:
        """Return the word that stands for *value*, if one does."""
        for word, meant in self.words:
            if type(meant) is type(value) and meant == value:
                return word
        return None

    def read(self, raw: Any, *, native: bool) -> Any:
        """Return the value that *raw* says.

        :param native: whether *raw* has a type of its own, as in TOML: a string that could
            be a number is then text where text is taken.
        :raises ValueError: when it says none.
        """
        for word, meant in self.words:
            if self._says(raw, word, meant):
                return meant
        for one in self._candidates(raw, native):
            try:
                return duration(raw) if self.seconds else READERS[one](raw)
            except ValueError:
                continue
        raise ValueError

    def _says(self, raw: Any, word: str, meant: Any) -> bool:
        if isinstance(raw, str):
            return (raw if isinstance(meant, str) else raw.strip()) == word
        return type(raw) is type(meant) and bool(raw == meant)

    def _candidates(self, raw: Any, native: bool) -> Sequence[type]:
        if not native or len(self.types) == 1:
            return self.types
        if isinstance(raw, str):
            return [one for one in self.types if one in (str, Path)] or self.types
        return [one for one in self.types if type(raw) in _NATIVE.get(one, ())]


def kind_of(annotation: Any, *, parsed: bool) -> Kind:
    """Return the kind that *annotation* means.

    :param parsed: whether the setting has a parser of its own, and any type will do.
    :raises UnknownKindError: for one that cannot be read from text.
    """
    arms = [arm for arm in _arms(annotation) if arm is not types.NoneType]
    if len(arms) == 1 and (collection := _collection(arms[0], parsed)) is not None:
        collect, item = collection
        inner = kind_of(item, parsed=parsed)
        if inner.collect is not None:
            raise UnknownKindError(f"{_shown(annotation)} holds collections")
        return Kind(inner.types, inner.words, collect)
    if parsed:
        return Kind(tuple(arm for arm in arms if arm in _ORDER) or (str,))
    said: list[tuple[str, Any]] = []
    plain: list[type] = []
    for arm in arms:
        if typing.get_origin(arm) is Literal:
            said += _literal_words(arm)
        elif isinstance(arm, type) and issubclass(arm, enum.Enum):
            said += _member_words(arm)
        elif arm in READERS:
            plain.append(arm)
        else:
            raise UnknownKindError(f"{_shown(arm)} is no type that a setting can have")
    if not (said or plain):
        raise UnknownKindError(f"{_shown(annotation)} has no value")
    return Kind(tuple(sorted(plain, key=_ORDER.index)), tuple(said))


def in_seconds(kind: Kind) -> Kind:
    """Return *kind* with its numbers as times.

    :raises UnknownKindError: where it has none, or takes any text besides.
    """
    if kind.types != (float,):
        raise UnknownKindError("a setting in seconds is a float, beside words if need be")
    return replace(kind, seconds=True)


def _arms(annotation: Any) -> list[Any]:
    """Return what *annotation* is joined of by ``|``."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _arms(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [arm for part in typing.get_args(annotation) for arm in _arms(part)]
    return [types.NoneType if annotation is None else annotation]


def _collection(annotation: Any, parsed: bool) -> tuple[Callable[[Any], Any], Any] | None:
    origin, items = typing.get_origin(annotation), typing.get_args(annotation)
    if origin not in _COLLECTIONS:
        return None
    if origin is tuple and not (len(items) == 2 and items[1] is Ellipsis):
        if parsed:
            return None
        raise UnknownKindError(f"{_shown(annotation)} has a fixed length")
    return _COLLECTIONS[origin], items[0]


def _literal_words(annotation: Any) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for value in typing.get_args(annotation):
        if isinstance(value, enum.Enum):
            found += [pair for pair in _member_words(type(value)) if pair[1] is value]
        elif isinstance(value, (str, int)):
            text = str(value)
            found.append((text.lower() if isinstance(value, bool) else text, value))
        elif value is not None:
            raise UnknownKindError(f"{_shown(annotation)} has a choice that is not text")
    return found


def _member_words(choices: type[enum.Enum]) -> list[tuple[str, Any]]:
    """Return a word for each member: its value where that is text, else its name."""
    found = [
        (
            member.value
            if isinstance(member.value, str)
            else member.name.lower().replace("_", "-"),
            member,
        )
        for member in choices
    ]
    if len({word for word, _ in found}) < len(found):
        raise UnknownKindError(f"two members of {choices.__qualname__} are said by one word")
    return found


def _shown(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)
