"""Builds the compiled burst beside the Python code, where that can be done.

Run by hatchling when a wheel is made, or an editable install.  Without a C compiler, without
Python's headers, on another system than Linux, or with ``SOCKETSUITE_PURE=1``, what is installed
has the burst in Python alone, and one line says why.  ``SOCKETSUITE_COMPILED=require`` makes that
an error, for who builds wheels to be published.  ``CC``, ``CFLAGS`` and ``LDFLAGS`` mean what they
mean elsewhere.  This module must not know what is compiled.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_SOURCE = Path("socketsuite/transport/_burst.c")  # which includes the others
_FLAGS = ["-O2", "-g", "-fwrapv", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra"]
_FLAGS += ["-Wno-unused-parameter", "-fstack-protector-strong", "-Wl,-z,relro,-z,now"]


class NotCompiled(Exception):
    """It cannot be compiled here; the text says why."""


def build(root: Path, into: Path) -> Path:
    """Compile the module into the folder *into*, and return its file.

    :raises NotCompiled: when it cannot be.
    """
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    headers = Path(sysconfig.get_path("include"))
    if os.environ.get("SOCKETSUITE_PURE", "") not in ("", "0"):
        raise NotCompiled("SOCKETSUITE_PURE forbids it")
    if sys.platform != "linux" or sys.implementation.name != "cpython":
        raise NotCompiled("it is for CPython on Linux")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise NotCompiled("it needs the interpreter's lock, which this one is without")
    if not (headers / "Python.h").exists():
        raise NotCompiled(f"there is no Python.h in {headers} (on Debian: python3-dev)")
    compiler = shlex.split(os.environ.get("CC", sysconfig.get_config_var("CC") or "cc"))
    if not compiler or shutil.which(compiler[0]) is None:
        raise NotCompiled("there is no C compiler (on Debian: gcc)")
    made = into / f"_burst{suffix}"
    with tempfile.TemporaryDirectory(dir=into) as folder:
        # Put in place by its name alone: a process that has the old one loaded keeps that.
        fresh = Path(folder) / made.name
        own = [shlex.split(os.environ.get(name, "")) for name in ("CFLAGS", "LDFLAGS")]
        command = [*compiler, *_FLAGS, f"-I{headers}", *own[0], str(root / _SOURCE), *own[1]]
        done = subprocess.run(
            [*command, "-o", str(fresh)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            first = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[0]
            raise NotCompiled(f"{compiler[0]} fails: {first}")
        fresh.replace(made)
    return made


class Hook(BuildHookInterface[Any]):
    """What hatchling calls."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and add the module to the wheel; an editable install has it in the tree."""
        root = Path(self.root)
        editable = version == "editable"
        self._folder = tempfile.mkdtemp()
        into = root / _SOURCE.parent if editable else Path(self._folder)
        try:
            made = build(root, into)
        except NotCompiled as error:
            if os.environ.get("SOCKETSUITE_COMPILED") == "require":
                raise
            self.app.display_warning(f"the burst transport is not compiled: {error}")
            return
        if not editable:
            build_data["force_include"][str(made)] = str(_SOURCE.parent / made.name)
            build_data["pure_python"] = False
            build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what is in the wheel by now."""
        shutil.rmtree(self._folder, ignore_errors=True)
