"""The settings that a group declares: those of its own fields, and of its nested tables.

A nested table is a field that holds another dataclass of settings.  Reads them from the class,
makes the objects of their values, and changes those.  This module must not know where values
come from.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

from socketsuite.settings.declaration import (
    METADATA_KEY,
    Declaration,
    DeclarationError,
    Setting,
)
from socketsuite.settings.kinds import CURE, UnknownKindError, in_seconds, kind_of


@dataclasses.dataclass(frozen=True)
class _TableDeclaration:
    help: str


def settings_table(help: str = "") -> Any:
    """Declare a nested table of settings as a dataclass field.

    The field's annotation is a dataclass that declares settings itself, and no table: there is
    one level.  Of ``upstream: Upstream``, whose field is ``port``, come the flag
    ``--upstream-port``, the variable ``…_UPSTREAM_PORT``, and in TOML ``upstream-port`` or the
    key ``port`` of a table ``upstream``.  The group is handed an ``Upstream``.  What a reload
    changes is set on that, and told as ``upstream_port``.

    :param help: a few words, before the help of each of its settings.
    """
    return dataclasses.field(kw_only=True, metadata={METADATA_KEY: _TableDeclaration(help)})


def settings_of(group: Any) -> tuple[Setting, ...]:
    """Return the settings that *group* declares; ``()`` for what declares none.

    :raises DeclarationError: naming the field, what is wrong with it, and the cure.
    """
    found: list[Setting] = []
    for field, declared in _declared(group):
        if isinstance(declared, _TableDeclaration):
            found += _nested(group, field, declared)
        else:
            found.append(_describe(group, field, declared))
    names = [item.name for item in found]
    for item in found:
        if names.count(item.name) > 1:
            raise DeclarationError(
                f"{group.__qualname__} declares the setting {item.name!r} twice: by a field of"
                " that name, and by one of a nested table; call one otherwise"
            )
        if item.needs and item.needs not in names:
            raise DeclarationError(
                f"{group.__qualname__}.{item.name} needs {item.needs!r}, and there is no such"
                " setting; call it by the name of a field"
            )
        if item.table in names:
            raise DeclarationError(
                f"{group.__qualname__}.{item.table} is a nested table, and a setting of another"
                " one has that name; call one otherwise"
            )
    return tuple(found)


def arguments(group: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what *group* is to be called with: its settings, and an object for each table.

    :param values: of all its settings, by their names.  A list is copied, since the object
        whose it becomes may change it.
    """
    settings = settings_of(group)
    said = {item.name: _own(values[item.name]) for item in settings}
    found = {item.name: said[item.name] for item in settings if not item.table}
    for field, declared in _declared(group):
        if isinstance(declared, _TableDeclaration):
            inner = {item.field: said[item.name] for item in settings if item.table == field.name}
            found[field.name] = _annotation(group, field)(**inner)
    return found


def assign(thing: Any, name: str, value: Any) -> None:
    """Set the setting *name* on *thing*, an object of a group, or on the table it belongs to."""
    for item in settings_of(type(thing)):
        if item.name == name and item.table:
            setattr(getattr(thing, item.table), item.field, _own(value))
            return
    setattr(thing, name, _own(value))


def _own(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value


def _declared(group: Any) -> list[tuple[dataclasses.Field[Any], Declaration | _TableDeclaration]]:
    if isinstance(group, type):
        _check_decorated(group)
    if not dataclasses.is_dataclass(group):
        return []
    fields = dataclasses.fields(group)
    return [(one, one.metadata[METADATA_KEY]) for one in fields if METADATA_KEY in one.metadata]


def _check_decorated(group: type) -> None:
    """Refuse a class whose settings nobody would find: the decorator takes such fields away."""
    for owner in group.__mro__:
        for name, value in vars(owner).items():
            if isinstance(value, dataclasses.Field) and METADATA_KEY in value.metadata:
                raise DeclarationError(
                    f"{owner.__qualname__}.{name} is a setting, and {owner.__qualname__} is no"
                    " dataclass: write @dataclass(eq=False) above it"
                )


def _nested(
    group: Any, field: dataclasses.Field[Any], declared: _TableDeclaration
) -> list[Setting]:
    where = f"{group.__qualname__}.{field.name}"
    inner = _annotation(group, field)
    if not isinstance(inner, type) or not (found := _declared(inner)):
        raise DeclarationError(
            f"{where}: settings_table() is for a dataclass that declares settings; annotate it"
            " with one"
        )
    for one, how in found:
        if isinstance(how, _TableDeclaration):
            raise DeclarationError(
                f"{where}: {inner.__qualname__}.{one.name} would be a table within a table;"
                " there is one level, so move its settings up"
            )
    settings = [
        dataclasses.replace(
            item,
            name=f"{field.name}_{item.name}",
            help=": ".join(filter(None, (declared.help, item.help))),
            table=field.name,
            needs=f"{field.name}_{item.needs}" if item.needs else "",
        )
        for item in settings_of(inner)
    ]
    if inner.__dataclass_params__.frozen and any(item.reload for item in settings):  # type: ignore[attr-defined]
        raise DeclarationError(
            f"{where}: {inner.__qualname__} is frozen, and has settings that a reload changes;"
            " make it a dataclass without frozen=True"
        )
    return settings


def _describe(group: Any, field: dataclasses.Field[Any], declared: Declaration) -> Setting:
    try:
        kind = kind_of(_annotation(group, field), parsed=declared.parse is not None)
        kind = in_seconds(kind) if declared.unit == "seconds" else kind
    except UnknownKindError as error:
        raise DeclarationError(f"{group.__qualname__}.{field.name}: {error}; {CURE}") from None
    found = Setting(
        name=field.name,
        kind=kind,
        help=declared.help,
        default=declared.default,
        minimum=declared.minimum,
        maximum=declared.maximum,
        metavar=declared.metavar,
        parse=declared.parse,
        show=declared.show,
        reload=declared.reload,
        secret=declared.secret,
        needs=declared.needs,
    )
    if found.secret and found.switch:
        raise DeclarationError(
            f"{group.__qualname__}.{field.name}: a switch has no value to keep secret; leave"
            " secret=True out"
        )
    _check_default(f"{group.__qualname__}.{field.name}", found)
    return found


def _check_default(where: str, item: Setting) -> None:
    """Refuse a default that could not be said, such as an Enum's value for its member."""
    if item.kind.types or item.parse is not None or item.required:
        return
    values = item.default if item.multiple else (item.default,)
    if any(value is not None and item.kind.word_of(value) is None for value in values):
        raise DeclarationError(
            f"{where}: its default is none of {', '.join(item.choices)}; of an Enum, write the"
            " member itself"
        )


def _annotation(group: Any, field: dataclasses.Field[Any]) -> Any:
    """Evaluate one field's annotation where it was written; others may not be importable."""
    if not isinstance(field.type, str):
        return field.type
    for owner in group.__mro__:
        if field.name in vars(owner).get("__annotations__", {}):
            scope = vars(sys.modules[owner.__module__])
            try:
                return eval(field.type, scope)  # the package's own source text
            except Exception as error:  # noqa: BLE001 - whatever that text does
                raise DeclarationError(
                    f"{group.__qualname__}.{field.name}: its annotation {field.type} cannot be"
                    f" read ({error}); import what it names at the top of {owner.__module__},"
                    " not under TYPE_CHECKING"
                ) from None
    raise DeclarationError(f"{group.__qualname__}.{field.name} has no annotation")
