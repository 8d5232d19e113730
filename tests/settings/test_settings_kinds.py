"""The types that a setting may have: what each is said by, and what it is not."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from socketsuite.settings import DeclarationError, SettingsError, setting, settings_of


class Color(enum.Enum):
    DARK_RED = 1
    BLUE = 2


class Form(enum.StrEnum):
    TEXT = "plain-text"
    JSON = "json"


class Same(enum.Enum):
    A = 1
    a = 2


@dataclass(eq=False)
class Kinds:
    width: Literal[1, 2] = setting(1)
    either: Literal["auto", 0] = setting("auto")
    color: Color = setting(Color.BLUE)
    form: Form | None = setting(None)
    words: list[str] = setting([])
    forms: tuple[Form, ...] = setting((Form.JSON,))
    steps: Sequence[int] = setting((1, 2), minimum=1)
    limit: int | str = setting("none", minimum=1)
    rate: float | Literal["off"] = setting("off", minimum=0)
    ratio: Annotated[float, "any"] = setting(0.5)


ITEMS = {item.name: item for item in settings_of(Kinds)}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("width", "2", 2),
        ("width", " 1 ", 1),
        ("either", "auto", "auto"),
        ("either", "0", 0),
        ("color", "dark-red", Color.DARK_RED),
        ("form", "plain-text", Form.TEXT),
        ("words", ["a", "1"], ["a", "1"]),
        ("forms", ["json", "plain-text"], (Form.JSON, Form.TEXT)),
        ("steps", ["3"], (3,)),
        ("limit", "7", 7),
        ("limit", "seven", "seven"),
        ("rate", "off", "off"),
        ("rate", "0.5", 0.5),
        ("ratio", "-0", 0.0),
        ("ratio", "-0.0", 0.0),
    ],
)
def test_text_becomes_a_value_of_the_kind(name: str, text: Any, value: Any) -> None:
    got = ITEMS[name].read(text, "--x")
    assert got == value
    assert type(got) is type(value)
    assert str(got) == str(value)


@pytest.mark.parametrize(
    ("name", "native", "value"),
    [
        ("width", 2, 2),
        ("width", "2", 2),
        ("either", 0, 0),
        ("color", "blue", Color.BLUE),
        ("limit", 7, 7),
        ("limit", "7", "7"),
        ("rate", 1, 1.0),
        ("words", "a", ["a"]),
    ],
)
def test_a_file_says_it_in_types_of_its_own(name: str, native: Any, value: Any) -> None:
    got = ITEMS[name].read(native, "x.toml", "file")
    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "wrong", "allowed"),
    [
        ("width", "3", "1, 2"),
        ("width", True, "1, 2"),
        ("width", 1.0, "1, 2"),
        ("either", False, "auto, 0"),
        ("either", "aut", "auto, 0; did you mean 'auto'?"),
        ("color", "DARK_RED", "dark-red, blue; did you mean 'dark-red'?"),
        ("color", "Blue", "dark-red, blue; did you mean 'blue'?"),
        ("color", 1, "dark-red, blue"),
        ("form", "text", "plain-text, json"),
        ("forms", ["json", "x"], "plain-text, json"),
        ("steps", [0], "a whole number, 1 or more"),
        ("limit", 0, "a whole number or text, 1 or more"),
        ("limit", True, "a whole number or text, 1 or more"),
        ("rate", "on", "off, or a number, 0 or more"),
        ("rate", -1, "off, or a number, 0 or more"),
        ("rate", float("nan"), "off, or a number, 0 or more"),
        ("words", [1], "text"),
        ("words", "\udcff", "text"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_what_is_allowed(
    name: str, wrong: Any, allowed: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        ITEMS[name].read(wrong, "x.toml", "file")
    text = str(refused.value)
    assert text.startswith(f"{name} = ")
    assert f"; allowed: {allowed}" in text


@pytest.mark.parametrize(
    ("name", "placeholder", "default"),
    [
        ("width", "1|2", "1"),
        ("color", "dark-red|blue", "blue"),
        ("form", "plain-text|json", ""),
        ("forms", "plain-text|json", "json"),
        ("steps", "N", "1, 2"),
        ("limit", "N|TEXT", "none"),
        ("rate", "off|NUMBER", "off"),
    ],
)
def test_a_kind_shows_itself_in_help_texts(name: str, placeholder: str, default: str) -> None:
    assert (ITEMS[name].placeholder, ITEMS[name].default_text) == (placeholder, default)


def test_a_list_that_is_a_default_is_each_objects_own() -> None:
    one, other = Kinds(), Kinds()
    one.words.append("mine")
    assert other.words == []


def odd(annotation: Any, **more: Any) -> Any:
    made = type("Odd", (), {"__annotations__": {"word": annotation}, "word": setting(None, **more)})
    return dataclass(eq=False)(made)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (bytes, "bytes is no type that a setting can have; say int, float, bool, str, Path,"),
        (list, "list is no type that a setting can have"),
        (dict[str, int], "is no type that a setting can have"),
        (tuple[int, int], "has a fixed length"),
        (tuple[list[int], ...], "holds collections"),
        (int | list[int], "is no type that a setting can have"),
        (Literal[b"x"], "has a choice that is not text"),
        (Same, "two members of Same are said by one word"),
        (None, "has no value"),
        (Any, "is no type that a setting can have"),
    ],
)
def test_a_type_that_no_text_could_say_is_one_line_naming_the_field(
    annotation: Any, words: str
) -> None:
    with pytest.raises(DeclarationError) as refused:
        settings_of(odd(annotation))
    assert str(refused.value).startswith("Odd.word: ")
    assert words in str(refused.value)
    assert "or pass parse=" in str(refused.value)


@pytest.mark.parametrize(
    ("annotation", "default"),
    [(Color, "blue"), (Form, "json"), (tuple[Color, ...], ("blue",)), (Literal["a", "b"], "c")],
)
def test_a_default_that_could_not_be_said_is_one_line_naming_the_field(
    annotation: Any, default: Any
) -> None:
    made = type("Odd", (), {"__annotations__": {"word": annotation}, "word": setting(default)})
    with pytest.raises(DeclarationError, match=r"Odd\.word: its default is none of "):
        settings_of(dataclass(eq=False)(made))


def test_a_parser_that_reads_text_alone_refuses_all_else_in_one_line() -> None:
    (item,) = settings_of(odd(bytes, parse=bytes.fromhex))
    assert item.allowed == "text"
    with pytest.raises(SettingsError, match=r"word = 7 \(x.toml\) is not valid; allowed: text"):
        item.read(7, "x.toml", "file")


def test_with_a_parser_of_its_own_a_setting_may_have_any_type() -> None:
    for annotation in (bytes, tuple[int, int], Path):
        (item,) = settings_of(odd(annotation, parse=str.encode))
        assert item.read("x", "--word") == b"x"


def test_settings_of_a_class_that_is_no_dataclass_are_not_lost() -> None:
    class Forgotten:
        word: int = setting(1)

    class Below(Kinds):
        word: int = setting(1)

    for group in (Forgotten, Below):
        with pytest.raises(DeclarationError, match=r"@dataclass\(eq=False\) above it"):
            settings_of(group)
