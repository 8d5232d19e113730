"""A stranger's package, written where twistd finds it: one module, one plugin file."""

from __future__ import annotations

from pathlib import Path

HEAD = """\
from __future__ import annotations
import dataclasses
import enum
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from twisted.internet.protocol import DatagramProtocol, Protocol, ServerFactory
from socketsuite.settings import SettingsError, setting

class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)

class EchoDatagram(DatagramProtocol):
    def datagramReceived(self, data, addr):
        self.transport.write(data, addr)

class Plain(ServerFactory):
    protocol = Echo

class Both(Plain):
    def buildDatagramProtocol(self):
        return EchoDatagram()

"""


def install(folder: Path, name: str, source: str, *, more: str = "", module: str = "") -> None:
    """Write the service *name*, whose target is ``make`` of a module with *source*."""
    module = module or name.replace("-", "_")
    (folder / f"{module}.py").write_text(HEAD + source)
    plugins = folder / "twisted" / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    where = "" if "frontends=" in more else ", port=0"
    (plugins / f"{module}_plugin.py").write_text(
        "from socketsuite.plugin import Frontend, ServicePlugin\n"
        f"one = ServicePlugin({name!r}, '{module}:make'{where}, description='X'{more})\n"
    )
