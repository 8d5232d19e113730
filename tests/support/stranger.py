"""A package of somebody else: a module, and the plugin that names its factory."""

from __future__ import annotations

import os
from pathlib import Path

PLUGIN = """\
from socketsuite.plugin import ServicePlugin

plugin = ServicePlugin("{name}", "{module}:factory", port=0, description="A stranger's")
"""


def package(folder: Path, source: str, name: str = "acme-service") -> dict[str, str]:
    """Write a package below *folder*, and return the environment that makes twistd find it.

    :param source: the module's text; its ``factory`` is the plugin's target.
    :param name: the twistd command.
    """
    module = name.replace("-", "_") + "_module"
    plugins = folder / "path" / "twisted" / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    (folder / "path" / f"{module}.py").write_text(source)
    (plugins / f"{module}_plugin.py").write_text(PLUGIN.format(name=name, module=module))
    return {"PYTHONPATH": f"{plugins.parents[1]}:{os.environ.get('PYTHONPATH', '')}"}
