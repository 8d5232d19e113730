"""A setting as it is declared, beside the code that obeys it.

This module must not know where values come from.
"""

from __future__ import annotations

import dataclasses
import difflib
import sys
import types
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

from socketsuite.settings.values import READERS

_METADATA_KEY = "socketsuite"


class SettingsError(ValueError):
    """A setting that a user got wrong; its text is the one line to show them."""


@dataclasses.dataclass(frozen=True)
class _Declaration:
    help: str
    minimum: float | None
    maximum: float | None
    metavar: str
    parse: Callable[[Any], Any] | None
    show: str


def setting(
    default: Any = dataclasses.MISSING,
    help: str = "",
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    metavar: str = "",
    parse: Callable[[Any], Any] | None = None,
    show: str = "",
) -> Any:
    """Declare one setting as a dataclass field.

    The field's annotation is its type: ``int``, ``float``, ``str``, ``bool``, ``Path``,
    ``Literal["a", "b"]``, any of these ``| None``, or ``tuple[T, ...]`` for a setting
    that may be given several times.

    :param default: used when nobody says otherwise; a setting without one is required.
    :param help: one line for ``--help`` and the documentation, with the unit.
    :param minimum: smallest number allowed; also for the items of a tuple.
    :param maximum: largest number allowed.
    :param metavar: what stands for the value in ``--help``, such as ``SECONDS``.
    :param parse: reads one raw value (text from a flag or the environment, or a native
        TOML value) instead of the annotation's own reader; it raises ``ValueError``
        with the words for what is allowed.
    :param show: how the default reads in ``--help``, where its ``str`` would mislead.
    """
    declaration = _Declaration(help, minimum, maximum, metavar, parse, show)
    return dataclasses.field(default=default, kw_only=True, metadata={_METADATA_KEY: declaration})


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting as the rest of the suite sees it: its names, its type and its limits."""

    name: str
    kind: type
    help: str
    default: Any
    multiple: bool = False
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    metavar: str = ""
    parse: Callable[[Any], Any] | None = None
    show: str = ""

    @property
    def key(self) -> str:
        """The name in TOML files and, behind ``--``, on the command line."""
        return self.name.replace("_", "-")

    @property
    def flag(self) -> str:
        """The command line flag; a boolean also has its opposite, ``--no-…``."""
        return f"--{self.key}"

    @property
    def required(self) -> bool:
        """Whether somebody must give a value."""
        return self.default is dataclasses.MISSING

    def variable(self, prefix: str) -> str:
        """Return the environment variable's name below a service's *prefix*."""
        return f"{prefix}_{self.name.upper()}"

    @property
    def placeholder(self) -> str:
        """What stands for the value in help texts."""
        if self.metavar or self.kind is bool:
            return self.metavar
        if self.choices:
            return "|".join(self.choices)
        return {int: "N", float: "NUMBER", Path: "PATH"}.get(self.kind, "TEXT")

    @property
    def default_text(self) -> str:
        """The default as a user would write it; empty when there is none to speak of."""
        if self.show:
            return self.show
        if self.required or self.default in (None, "", ()):
            return ""
        if self.kind is bool:
            return "on" if self.default else "off"
        values = self.default if self.multiple else (self.default,)
        return ", ".join(_number(v) if isinstance(v, float) else str(v) for v in values)

    @property
    def allowed(self) -> str:
        """The values this setting takes, in words."""
        if self.parse is not None:
            try:
                self.parse(None)
            except ValueError as error:
                return str(error)
        if self.choices:
            return ", ".join(self.choices)
        noun = {
            int: "a whole number",
            float: "a number",
            bool: "true or false",
            Path: "a path",
        }.get(self.kind, "text")
        if self.minimum is not None and self.maximum is not None:
            return f"{noun} from {_number(self.minimum)} to {_number(self.maximum)}"
        if self.minimum is not None:
            return f"{noun}, {_number(self.minimum)} or more"
        if self.maximum is not None:
            return f"{noun}, {_number(self.maximum)} or less"
        return noun

    def read(self, raw: Any, origin: str) -> Any:
        """Turn a raw value into a checked one.

        :param raw: text (or a list of texts) from a flag or the environment, or a
            native value from TOML.
        :param origin: where it was said, for the error: ``--port``, a variable, a file.
        :raises SettingsError: naming key, value, origin and what is allowed.
        """
        if self.multiple:
            items = raw if isinstance(raw, (list, tuple)) else [raw]
            return tuple(self._read_one(item, origin) for item in items)
        return self._read_one(raw, origin)

    def _read_one(self, raw: Any, origin: str) -> Any:
        try:
            if self.parse is not None:
                return self.parse(raw)
            value = READERS[self.kind](raw)
        except ValueError as error:
            allowed = str(error) if self.parse is not None else self.allowed
            raise self._refusal(raw, origin, allowed) from None
        if self.choices and value not in self.choices:
            near = nearest(value, self.choices)
            raise self._refusal(raw, origin, self.allowed + near)
        below = self.minimum is not None and value < self.minimum
        above = self.maximum is not None and value > self.maximum
        if below or above:
            raise self._refusal(raw, origin, self.allowed)
        return value

    def _refusal(self, raw: Any, origin: str, allowed: str) -> SettingsError:
        return SettingsError(f"{self.key} = {raw!r} ({origin}) is not valid; allowed: {allowed}")


def _number(value: float) -> str:
    """Return *value* as a person writes it: no ``.0``, no exponent for what fits a word."""
    return f"{value:.15g}"


def settings_of(group: Any) -> tuple[Setting, ...]:
    """Return the settings that *group* declares; ``()`` for anything but a dataclass."""
    if not dataclasses.is_dataclass(group):
        return ()
    found = []
    for field in dataclasses.fields(group):
        declaration = field.metadata.get(_METADATA_KEY)
        if declaration is not None:
            found.append(_describe(group, field, declaration))
    return tuple(found)


def _describe(group: Any, field: dataclasses.Field[Any], declared: _Declaration) -> Setting:
    kind = _annotation(group, field)
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        kind = next(arm for arm in typing.get_args(kind) if arm is not type(None))
    multiple = typing.get_origin(kind) is tuple
    if multiple:
        kind = typing.get_args(kind)[0]
    choices: tuple[str, ...] = ()
    if typing.get_origin(kind) is Literal:
        choices, kind = typing.get_args(kind), str
    if declared.parse is None and kind not in READERS:
        raise TypeError(f"{group.__qualname__}.{field.name}: no reader for {kind!r}; pass parse=")
    return Setting(
        name=field.name,
        kind=kind,
        help=declared.help,
        default=field.default,
        multiple=multiple,
        choices=choices,
        minimum=declared.minimum,
        maximum=declared.maximum,
        metavar=declared.metavar,
        parse=declared.parse,
        show=declared.show,
    )


def _annotation(group: Any, field: dataclasses.Field[Any]) -> Any:
    """Evaluate one field's annotation where it was written; others may not be importable."""
    if not isinstance(field.type, str):
        return field.type
    for owner in group.__mro__:
        if field.name in vars(owner).get("__annotations__", {}):
            scope = vars(sys.modules[owner.__module__])
            return eval(field.type, scope)  # the package's own source text
    raise TypeError(f"{group.__qualname__}.{field.name} has no annotation")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean …?`` with the known name nearest to *word*, if one is near."""
    candidates = list(known)
    near = difflib.get_close_matches(word, candidates, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
