"""Settings, declared once, beside the code that obeys them.

A group of settings is a dataclass whose fields are made by :func:`setting`.  From that
one declaration come the flag, its help text, the environment variable, the TOML key,
the validation and the documentation::

    @dataclass(eq=False)
    class Rot13Factory(ServerFactory):
        rotate: int = setting(13, "letters to rotate by", minimum=0, maximum=25)

This module must not know of twistd, of the reactor or of any particular setting: it
turns declarations and raw values into checked values, or into one clear line.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

_METADATA_KEY = "socketsuite"
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


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
            value = _READERS[self.kind](raw)
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


def _read_int(raw: Any) -> int:
    if isinstance(raw, str) and raw.strip().lstrip("+-").isascii():
        return int(raw.strip().replace("_", "x"), 10)
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    raise ValueError


def _read_float(raw: Any) -> float:
    if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
        raise ValueError
    try:
        value = float(raw)
    except OverflowError:
        raise ValueError from None
    if not math.isfinite(value):
        raise ValueError
    return value


def _read_bool(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str):
        word = raw.strip().lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    raise ValueError


def _read_str(raw: Any) -> str:
    if not isinstance(raw, str):
        raise ValueError
    return raw


def _read_path(raw: Any) -> Path:
    if not isinstance(raw, str) or not raw or "\0" in raw:
        raise ValueError
    try:
        return Path(raw).expanduser()
    except RuntimeError:  # ~nobody
        raise ValueError from None


_READERS: dict[type, Callable[[Any], Any]] = {
    int: _read_int,
    float: _read_float,
    bool: _read_bool,
    str: _read_str,
    Path: _read_path,
}

_BYTE_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def byte_size(raw: Any) -> int:
    """Read a number of bytes, with an optional ``K``, ``M`` or ``G`` (powers of 1,024).

    A ``parse=`` for :func:`setting`.
    """
    if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
        return raw
    if isinstance(raw, str):
        text = raw.strip().lower().removesuffix("b").removesuffix("i")
        digits = text.rstrip("kmg")
        if (
            digits.isascii()
            and digits.isdigit()
            and len(digits) < 19
            and text[len(digits) :] in _BYTE_UNITS
        ):
            return int(digits) * _BYTE_UNITS[text[len(digits) :]]
    raise ValueError("a number of bytes such as 65536, 64K or 1M")


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
    if declared.parse is None and kind not in _READERS:
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


def environment_prefix(name: str) -> str:
    """Return what the environment variables of the service *name* begin with."""
    return "".join(c if c.isalnum() else "_" for c in name).upper()


def resolve(
    settings: Iterable[Setting],
    *,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    prefix: str,
    table: Mapping[str, Any] | None = None,
    table_origin: str = "",
    reserved: Sequence[str] = (),
) -> dict[str, Any]:
    """Decide every setting's value: flag, then environment, then file, then default.

    :param flags: what the command line said, by setting name; absent or ``None`` means
        nothing was said.
    :param environ: the process environment; a variable below *prefix* that names no
        setting is an error.  Several values of one setting are separated by commas.
    :param table: what the configuration file says, by key; ``-`` and ``_`` are alike.
    :param table_origin: how errors name that table.
    :param reserved: further names that are known below *prefix*, such as ``config``.
    :raises SettingsError: at the first value that is unknown, ill-typed or missing.
    """
    known = {item.name: item for item in settings}
    from_file = _by_name(table or {}, known, table_origin)
    from_environment = _variables(environ, prefix, known, reserved)
    values = {}
    for name, item in known.items():
        if flags.get(name) is not None:
            values[name] = item.read(flags[name], item.flag)
        elif name in from_environment:
            raw: Any = from_environment[name]
            if item.multiple:
                raw = [part.strip() for part in raw.split(",")] if raw else []
            try:
                values[name] = item.read(raw, item.variable(prefix))
            except SettingsError as error:
                raise SettingsError(f"{error}{_service_link(environ, prefix)}") from None
        elif name in from_file:
            values[name] = item.read(from_file[name], table_origin)
        elif item.required:
            raise SettingsError(
                f"{item.key} is needed: say {item.flag} {item.placeholder}"
                f" or set {item.variable(prefix)} ({item.help})"
            )
        else:
            values[name] = item.default
    return values


def _service_link(environ: Mapping[str, str], prefix: str) -> str:
    """Return a hint where *environ* holds what container platforms set by themselves.

    Kubernetes and Docker links set ``NAME_PORT=tcp://…`` and more for a service NAME.
    """
    if "://" not in environ.get(f"{prefix}_PORT", ""):
        return ""
    return (
        f" ({prefix}_PORT looks like a service link that a container platform set;"
        " unset it, or turn service links off)"
    )


def _by_name(table: Mapping[str, Any], known: Mapping[str, Setting], origin: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in known:
            near = nearest(key, [item.key for item in known.values()])
            raise SettingsError(f"unknown key {key!r} = {value!r} ({origin}){near}")
        if name in found:
            raise SettingsError(f"{known[name].key} is said twice ({origin})")
        found[name] = value
    return found


def _variables(
    environ: Mapping[str, str],
    prefix: str,
    known: Mapping[str, Setting],
    reserved: Sequence[str],
) -> dict[str, str]:
    found = {}
    for variable, value in environ.items():
        if not variable.startswith(f"{prefix}_"):
            continue
        name = variable[len(prefix) + 1 :].lower()
        if name in known:
            found[name] = value
        elif name not in reserved:
            names = [item.variable(prefix) for item in known.values()]
            hint = nearest(variable, names) + _service_link(environ, prefix)
            said = repr(f"{variable}={value}")
            raise SettingsError(f"unknown environment variable {said}{hint}")
    return found


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean …?`` with the known name nearest to *word*, if one is near."""
    candidates = list(known)
    near = difflib.get_close_matches(word, candidates, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
