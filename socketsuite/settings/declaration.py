"""A setting as it is declared, beside the code that obeys it.

This module must not know where values come from.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable
from typing import Any, Literal

from socketsuite.settings.kinds import Kind
from socketsuite.settings.values import shown

METADATA_KEY = "socketsuite"

Source = Literal["flag", "variable", "file"]


class SettingsError(ValueError):
    """A setting that a user got wrong; its text is the one line to show them."""


class DeclarationError(SettingsError):
    """A setting that a service's author declared wrongly; its text is the line for them."""


@dataclasses.dataclass(frozen=True)
class Declaration:
    """What :func:`setting` was told; as metadata of its field."""

    # Might be a secret; and the metadata is part of what a field shows of itself.
    default: Any = dataclasses.field(repr=False)
    help: str
    minimum: float | None
    maximum: float | None
    metavar: str
    parse: Callable[[Any], Any] | None
    show: str
    unit: Literal["", "seconds"]
    reload: bool
    secret: bool
    needs: str


def setting(
    default: Any = dataclasses.MISSING,
    help: str = "",
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    metavar: str = "",
    parse: Callable[[Any], Any] | None = None,
    show: str = "",
    unit: Literal["", "seconds"] = "",
    reload: bool = False,
    secret: bool = False,
    needs: str = "",
) -> Any:
    """Declare one setting as a dataclass field.

    The field's annotation is its type: ``int``, ``float``, ``str``, ``bool``, ``Path``,
    ``Literal["a", 1]``, an ``Enum`` (a member is said by its value where that is text, else
    by its name, as ``dark-red`` for ``DARK_RED``), any of these ``| None`` or joined by
    ``|``, or ``tuple[T, ...]`` or ``list[T]`` for a setting that may be given several times.
    Of ``int | str``, text that reads as a number is one; in TOML a string stays text.

    :param default: used when nobody says otherwise; a setting without one is required.  A
        list is copied for each object.
    :param help: one line for ``--help`` and the documentation, with the unit.
    :param minimum: smallest number allowed; also for the items of a tuple.
    :param maximum: largest number allowed.
    :param metavar: what stands for the value in ``--help``, such as ``PORT``.
    :param parse: reads one raw value (text from a flag or the environment, or a native
        TOML value) instead of the annotation's own reader; it raises ``ValueError``
        with the words for what is allowed.
    :param show: how the default reads in ``--help``, where its ``str`` would mislead.
    :param unit: ``"seconds"`` for a time: a ``float``, which may be said as ``1h30m`` too.
    :param reload: whether a change takes effect by a reload (SIGHUP).  A service's own is set on
        its factory then, which is told by ``settings_reloaded(changed)``, if it has that.
    :param secret: whether the value must not be seen: no help, error or log shows it, nor does
        the object's ``repr``.  It can be read from a file too, which ``NAME-file`` names: several
        values stand one a line there.
    :param needs: the name of another setting; who says this one without it is refused.
    """
    declared = Declaration(
        default, help, minimum, maximum, metavar, parse, show, unit, reload, secret, needs
    )
    how: dict[str, Any] = {"kw_only": True, "repr": not secret}
    how["metadata"] = {METADATA_KEY: declared}
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), **how)
    return dataclasses.field(default=default, **how)


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting as the rest of the suite sees it: its names, its type and its limits.

    :ivar name: of all the group's; that of one in a nested table begins with the table's.
    :ivar table: the field that holds the nested table which it is in; empty for none.
    :ivar file_of: the secret whose value stands in the file that this setting names.
    """

    name: str
    kind: Kind
    help: str
    default: Any = dataclasses.field(repr=False)  # might be a secret
    minimum: float | None = None
    maximum: float | None = None
    metavar: str = ""
    parse: Callable[[Any], Any] | None = None
    show: str = ""
    reload: bool = False
    secret: bool = False
    needs: str = ""
    table: str = ""
    file_of: str = ""

    @property
    def field(self) -> str:
        """The name of the dataclass's field."""
        return self.name.removeprefix(f"{self.table}_") if self.table else self.name

    @property
    def flag_help(self) -> str:
        """The help of its flag."""
        if not self.secret:
            return self.help
        return f"{self.help} (a flag is seen in ps: rather use the variable, or {self.flag}-file)"

    @property
    def key(self) -> str:
        """The name in TOML files and, behind ``--``, on the command line."""
        return self.name.replace("_", "-")

    @property
    def flag(self) -> str:
        """The command line flag; a switch also has its opposite, ``--no-…``."""
        return f"--{self.key}"

    @property
    def switch(self) -> bool:
        """Whether the flag takes no value: it turns the setting on, and ``--no-…`` off."""
        return self.kind == Kind((bool,)) and self.parse is None

    @property
    def multiple(self) -> bool:
        """Whether it may be given several times."""
        return self.kind.collect is not None

    @property
    def choices(self) -> tuple[str, ...]:
        """The words it is said by; none where any value of its types will do."""
        return tuple(word for word, _ in self.kind.words)

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
        if self.metavar or self.switch:
            return self.metavar
        return self.kind.placeholder

    @property
    def default_text(self) -> str:
        """The default as a user would write it; empty when there is none to speak of."""
        if self.show:
            return self.show
        if self.required or self.secret or self.default in (None, "", (), []):
            return ""
        if self.switch:
            return "on" if self.default else "off"
        return ", ".join(map(self._text, self.default if self.multiple else (self.default,)))

    def _text(self, value: Any) -> str:
        word = self.kind.word_of(value)
        if word is not None:
            return word
        return _number(value) if isinstance(value, float) else str(value)

    @property
    def allowed(self) -> str:
        """The values this setting takes, in words."""
        if self.parse is not None:
            try:
                self.parse(None)
            except ValueError as error:
                return str(error)
            except TypeError:  # a reader of text alone, which has no words for it
                pass
        words = ", ".join(self.choices)
        if not self.kind.types:
            return words
        return f"{words}, or {self._types_text()}" if words else self._types_text()

    def _types_text(self) -> str:
        noun = self.kind.nouns
        if self.minimum is not None and self.maximum is not None:
            return f"{noun} from {_number(self.minimum)} to {_number(self.maximum)}"
        if self.minimum is not None:
            return f"{noun}, {_number(self.minimum)} or more"
        if self.maximum is not None:
            return f"{noun}, {_number(self.maximum)} or less"
        return noun

    def read(self, raw: Any, origin: str, source: Source = "flag") -> Any:
        """Turn a raw value into a checked one.

        :param raw: text (or a list of texts) from a flag or the environment, or a
            native value from TOML.
        :param origin: where it was said, for the error: ``--port``, a variable, a file.
        :param source: what *origin* is.  What a variable says may be a secret, and is shown
            only where a number or a choice was wanted.
        :raises SettingsError: naming key, value, origin and what is allowed.
        """
        if self.kind.collect is None:
            return self._read_one(raw, origin, source)
        items = raw if isinstance(raw, (list, tuple)) else [raw]
        return self.kind.collect(self._read_one(item, origin, source) for item in items)

    def _read_one(self, raw: Any, origin: str, source: Source) -> Any:
        try:
            if self.parse is not None:
                return self.parse(raw)
            value = self.kind.read(raw, native=source == "file")
        except (ValueError, TypeError) as error:
            allowed = self.allowed
            # The words of a parser, and those that are near, tell of the value.
            if self.parse is not None and type(error) is not TypeError and not self.secret:
                allowed = str(error)
            elif self.parse is None and isinstance(raw, str) and not self.secret:
                allowed += nearest(raw, self.choices)
            raise self._refusal(raw, origin, source, allowed) from None
        if self.kind.word_of(value) is None and isinstance(value, (int, float)):
            below = self.minimum is not None and value < self.minimum
            above = self.maximum is not None and value > self.maximum
            if below or above:
                raise self._refusal(raw, origin, source, self.allowed)
        return value

    def _refusal(self, raw: Any, origin: str, source: Source, allowed: str) -> SettingsError:
        secret = self.secret or self.file_of or (source == "variable" and not self.kind.harmless)
        said = self.key if secret else f"{self.key} = {shown(raw)}"
        return SettingsError(f"{said} ({origin}) is not valid; allowed: {allowed}")


def _number(value: float) -> str:
    """Return *value* as a person writes it: no ``.0``, no exponent for what fits a word."""
    return f"{value:.15g}"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean …?`` with the known name nearest to *word*, if one is near."""
    candidates = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(word.casefold(), candidates, n=1, cutoff=0.5)
    return f"; did you mean {candidates[near[0]]!r}?" if near else ""
