"""A group with one setting of every kind, and what the sources make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from socketsuite.settings import (
    SettingsError,
    Table,
    byte_size,
    resolve,
    setting,
    settings_of,
    with_files,
)


@dataclass(eq=False)
class Every:
    """One setting of every kind."""

    count: int = setting(3, "a number of things", minimum=0, maximum=100_000_000)
    seconds: float = setting(1.5, "a time", minimum=0)
    loud: bool = setting(False, "a switch")
    banner: str = setting("", "a line")
    file: Path | None = setting(None, "a file", metavar="FILE")
    color: Literal["red", "green"] = setting("red", "a choice")
    port: tuple[int, ...] = setting((), "several", minimum=0, maximum=65535)
    queue: int = setting(4096, "a size", parse=byte_size, show="4K")
    not_a_setting: int = 0


@dataclass(eq=False)
class Needy:
    file: Path = setting(help="the file to append to", metavar="PATH")


SETTINGS = {item.name: item for item in settings_of(Every)}


def decide(
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    table: Mapping[str, Any] | None = None,
    group: Any = Every,
) -> dict[str, Any]:
    return resolve(
        with_files(settings_of(group)),
        flags=flags or {},
        environ=environ or {},
        prefix="ACME",
        tables=[Table(table, "acme.toml")] if table is not None else (),
        reserved=("config",),
    ).values


def refusal(**said: Any) -> str:
    with pytest.raises(SettingsError) as refused:
        decide(**said)
    return str(refused.value)
