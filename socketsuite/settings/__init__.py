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

from socketsuite.settings.declaration import (
    DeclarationError,
    Setting,
    SettingsError,
    nearest,
    setting,
)
from socketsuite.settings.files import UnreadableError, read_regular
from socketsuite.settings.groups import arguments, assign, settings_of, settings_table
from socketsuite.settings.resolution import Resolved, Table, environment_prefix, resolve
from socketsuite.settings.secrets import SecretFileError, with_files
from socketsuite.settings.values import DURATION, byte_size, duration, plain, shown

__all__ = [
    "DURATION",
    "DeclarationError",
    "Resolved",
    "SecretFileError",
    "Setting",
    "SettingsError",
    "Table",
    "UnreadableError",
    "arguments",
    "assign",
    "byte_size",
    "duration",
    "environment_prefix",
    "nearest",
    "plain",
    "read_regular",
    "resolve",
    "setting",
    "settings_of",
    "settings_table",
    "shown",
    "with_files",
]
