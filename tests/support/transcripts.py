"""Console blocks of a document, run as they stand: commands, and what each terminal shows.

A block is a play of its own, in an empty folder, and says in each line who does what::

    $ COMMAND              run to its end; the lines below are what it says, and all of it
    $ twistd -n NAME …     a daemon, there until the block ends
    ann$ COMMAND           started in Ann's terminal, and left running
    ann types: TEXT        a line; ``ann types Ctrl-D`` is the end of her input
    ann sees: TEXT         the next line that her terminal shows
    the log says: TEXT     a line of the daemon's, from now or before
    Ctrl-C                 ends the daemon, which drains
    $ export NAME=VALUE    for all that follows

``…`` stands for anything.  A daemon's ports are free ones: the numbers shown are exchanged for
them, in commands and in what is seen.  Must not know of any one document.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

from socketsuite.testing import Daemon
from socketsuite.testing.daemon import TWISTD

SECONDS = 20.0
_LINE = re.compile(
    r"(?P<who>[a-z]*)\$ (?P<command>.*)"
    r"|(?P<name>[a-z]+) (?P<verb>types|sees): (?P<text>.*)"
    r"|(?P<ended>[a-z]+) types Ctrl-D"
    r"|the log says: (?P<log>.*)"
    r"|(?P<interrupted>Ctrl-C)"
)


def blocks(document: str) -> list[str]:
    """Return the console blocks of *document* in their order."""
    return re.findall(r"^```console\n(.*?)^```", document, re.S | re.M)


def matches(shown: str, said: str) -> bool:
    """Return whether *said* is what is *shown*, which may hold ``…``."""
    pattern = ".*".join(re.escape(piece) for piece in shown.split("…"))
    return re.fullmatch(pattern, said) is not None


@dataclass
class Stage:
    """Where one block is played; everything it started ends with it.

    :ivar tools: a folder that is searched for programs before any other.
    """

    folder: Path
    tools: Path
    daemon: Daemon | None = None
    daemons: list[Daemon] = field(default_factory=list)
    terminals: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    ports: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    def play(self, block: str) -> None:
        """Do what *block* says; fail at the first line that is not as it says."""
        lines = block.splitlines()
        while lines:
            line = lines.pop(0)
            if not line.startswith("$ twistd -n "):  # whose ports are to be exchanged
                line = self._exchanged(line)
            found = _LINE.fullmatch(line)
            assert found, f"nobody does this: {line!r}"
            if found["command"] and found["command"].startswith("export "):
                name, _, value = found["command"].removeprefix("export ").partition("=")
                self.variables[name] = value
            elif found["interrupted"]:
                assert self.daemon is not None
                assert self.daemon.stop(signal.SIGINT) == 0
            elif found["command"] and found["who"]:
                self._start(found["who"], found["command"])
            elif found["command"] and found["command"].startswith("twistd -n "):
                self._serve(found["command"])
            elif found["command"]:
                shown = []
                while lines and not _LINE.fullmatch(lines[0]):
                    shown.append(self._exchanged(lines.pop(0)))
                self._run(found["command"], shown)
            elif found["log"]:
                assert self.daemon is not None
                pattern = ".*".join(re.escape(piece) for piece in found["log"].split("…"))
                self.daemon.wait_for_line(pattern)
            elif found["verb"] == "types":
                self._type(found["name"], found["text"])
            elif found["verb"] == "sees":
                self._see(found["name"], found["text"])
            else:
                stdin = self.terminals[found["ended"]].stdin
                assert stdin is not None
                stdin.close()

    def _exchanged(self, line: str) -> str:
        return re.sub(r"\d{4,5}", lambda found: self.ports.get(found[0], found[0]), line)

    @property
    def _environment(self) -> dict[str, str]:
        path = f"{self.tools}:{Path(TWISTD).parent}:{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "LC_ALL": "C.UTF-8", **self.variables}

    def _serve(self, command: str) -> None:
        _, _, name, *words = shlex.split(command)
        shown, metrics = [], ""
        for place, word in enumerate(words[:-1]):
            if re.fullmatch(r"--(.*-)?port", word):
                if word == "--metrics-port":
                    metrics = words[place + 1]
                else:
                    shown.append(words[place + 1])
                words[place + 1] = "0"
        self.daemon = Daemon(self.folder, name, *words, env=self.variables)
        self.daemons.append(self.daemon)
        self.daemon.wait_until_ready()
        bound = self.daemon.ports() or self.daemon.ports("udp")
        self.ports |= {asked: str(port) for asked, port in zip(shown, bound, strict=False)}
        if metrics:
            where = self.daemon.wait_for_line(r"metrics http://127.0.0.1:(\d+)/")
            self.ports[metrics] = where[1]

    def _run(self, command: str, shown: list[str]) -> None:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
        said = done.stdout.decode(errors="replace").replace("\r\n", "\n").splitlines()
        as_shown = len(said) == len(shown) and all(map(matches, shown, said))
        assert as_shown, f"{command}\nshows {shown}\nsaid  {said}"

    def _start(self, who: str, command: str) -> None:
        known = len(self.daemon.lines) if self.daemon else 0
        self.terminals[who] = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        if self.daemon is not None:
            self.daemon.wait_for_line(r" connected ", known)

    def _type(self, who: str, text: str) -> None:
        stdin = self.terminals[who].stdin
        assert stdin is not None
        stdin.write(f"{text}\n")
        stdin.flush()

    def _see(self, who: str, text: str) -> None:
        terminal = self.terminals[who]
        assert terminal.stdout is not None
        late = threading.Timer(SECONDS, terminal.kill)
        late.start()
        said = terminal.stdout.readline().rstrip("\r\n")
        late.cancel()
        assert matches(text, said), f"{who} should see {text!r}, and saw {said!r}"

    def close(self) -> None:
        """End all that the block has started."""
        for terminal in self.terminals.values():
            with terminal:
                terminal.kill()
        for daemon in self.daemons:
            daemon.kill()


def programs(folder: Path) -> Path:
    """Make a folder in which ``nc`` is the one that documents mean, and return it."""
    folder.mkdir()
    openbsd = shutil.which("nc.openbsd")
    if openbsd is not None:
        (folder / "nc").symlink_to(openbsd)
    return folder


def play_alone(block: str, folder: Path) -> None:
    """Play *block* in an empty folder below *folder*, with the ``nc`` that documents mean."""
    (folder / "play").mkdir()
    stage = Stage(folder / "play", programs(folder / "bin"))
    try:
        stage.play(block)
    finally:
        stage.close()
