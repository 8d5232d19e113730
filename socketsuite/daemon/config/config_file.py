"""The TOML file of a daemon or of the suite: read within bounds, and its parts told apart.

One file serves both alike: the process's settings stand at its top, and each service's in a
table named after it.  A file without any table is one service's own.  This module must not
know what any setting means.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from socketsuite.addresses import path_text
from socketsuite.daemon.config.process_settings import ProcessSettings
from socketsuite.service import ServiceSpecification, installed_services
from socketsuite.settings import (
    SettingsError,
    Table,
    UnreadableError,
    nearest,
    plain,
    read_regular,
    settings_of,
)

LARGEST = 1 << 20
PROCESS_KEYS = frozenset(item.key for item in settings_of(ProcessSettings))
_FAMILY = "socketsuite-"


@dataclass(frozen=True)
class ConfigFile:
    """A TOML file, taken apart.

    :ivar name: the file, as errors name it.
    :ivar top: what stands outside of any table.
    :ivar services: the tables, by their names.
    """

    name: str
    top: Table
    services: dict[str, Table]

    def process_table(self) -> Table:
        """Return the top of a file with tables: settings of the process, and nothing else.

        :raises SettingsError: for a key there that is a service's.
        """
        for key in self.top.entries:
            if not is_of_process(key):
                raise SettingsError(
                    f"key {key!r} stands outside of a service's table, such as [chat]"
                    f" ({self.name}){nearest(key, PROCESS_KEYS)}"
                )
        return self.top

    def tables_for(self, plugin: ServiceSpecification) -> list[Table]:
        """Return what speaks of *plugin* where it is alone in its process.

        That is the top, and the table named after it: ``[chat]`` or ``[socketsuite-chat]``.
        A file whose tables are all nested ones of the service is its own.

        :raises SettingsError: when the file has tables, but none for this service, or two.
        """
        names = (plugin.tapname, plugin.tapname.removeprefix(_FAMILY))
        nested = {item.table for item in settings_of(plugin.load()) if item.table}
        nested -= {name.replace("-", "_") for name in names}
        if all(_is_nested(table, nested) for table in self.services.values()):
            tables = {name: table.entries for name, table in self.services.items()}
            return [Table({**self.top.entries, **tables}, self.name)]
        found = []
        for name in dict.fromkeys(names):
            wanted, table = self.service(name)
            if table is not None and wanted in names:
                found.append(table)
        if not found:
            raise SettingsError(
                f"{self.name} has tables for other services only; write one named"
                f" {names[1]!r} in it{self._misspelt(nested)}"
            )
        if len(found) > 1:
            raise SettingsError(
                f"{self.name} has two tables for this service: [{names[0]}] and [{names[1]}]"
            )
        self._refuse_stray(nested, names[1])
        return [self.process_table(), *found]

    def _refuse_stray(self, nested: set[str], service: str) -> None:
        """Refuse a service's nested table beside its own one: it would be another service's."""
        for name, table in self.services.items():
            if _is_nested(table, nested) and not {name, _FAMILY + name} & {*installed_services()}:
                raise SettingsError(
                    f"{table.place} is no service's; for {service}, write [{service}.{plain(name)}]"
                )

    def _misspelt(self, nested: set[str]) -> str:
        """Return which nested table the file may mean by one of its own."""
        keys = [name.replace("_", "-") for name in nested]
        return next(filter(None, (nearest(name, keys) for name in self.services)), "")

    def service(self, name: str) -> tuple[Any, Table | None]:
        """Return which service the table *name* is for, and the table without that word."""
        table = self.services.get(name)
        if table is None:
            return None, None
        entries = dict(table.entries)
        wanted = entries.pop("service", name)
        return wanted, Table(entries, table.file, table.name)


def _is_nested(table: Table, nested: set[str]) -> bool:
    return str(table.name).replace("-", "_") in nested and "service" not in table.entries


def is_of_process(key: str) -> bool:
    """Whether *key* is a setting of the process, however many services run in it."""
    return key.replace("_", "-") in PROCESS_KEYS


def read_config(path: str) -> ConfigFile:
    """Return what the TOML file *path* says.

    UTF-8, with or without a byte order mark; 1 MiB at most.

    :raises SettingsError: naming the file and what is wrong, with the line for bad TOML.
    """
    name = path_text(path)
    try:
        data, _ = read_regular(path, LARGEST)
    except UnreadableError as error:
        raise SettingsError(f"cannot read {name} (--config): {error}") from None
    document = _parse(data, name)
    for key, value in document.items():
        if isinstance(value, list) and any(isinstance(one, dict) for one in value):
            raise SettingsError(
                f"{name} has a list of tables [[{plain(key)}]]; write [{plain(key)}], once"
            )
    services = {
        key: Table(value, name, key) for key, value in document.items() if isinstance(value, dict)
    }
    top = {key: value for key, value in document.items() if key not in services}
    return ConfigFile(name, Table(top, name), services)


def _parse(data: bytes, name: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(
            f"{name} is not valid TOML: a byte that is not UTF-8 (at line {line})"
        ) from None
    except ValueError as error:  # TOMLDecodeError, and a number of more digits than Python reads
        raise SettingsError(f"{name} is not valid TOML: {error}") from None
    except RecursionError:
        raise SettingsError(f"{name} is not valid TOML: too many brackets nested") from None
