"""docs/chat-socketio.md: its program, run by Node, answers who speaks."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from socketsuite.testing import Daemon
from tests.support.node_packages import packages
from tests.support.peers import program
from tests.support.web_people import SECONDS, WebPerson

PAGE = (Path(__file__).parents[1] / "docs" / "chat-socketio.md").read_text()


def test_the_program_answers_who_speaks(tmp_path: Path) -> None:
    (source,) = re.findall(r"```javascript\n(.*?)```", PAGE, re.S)
    (tmp_path / "ann.js").write_text(source)
    daemon = Daemon(tmp_path, "socketsuite-chat", "--port", "0", "--web-port", "0")
    try:
        daemon.wait_until_ready()
        port = daemon.port(frontend="web")
        with (
            WebPerson(port, "bob") as bob,
            subprocess.Popen(
                [program("node"), "ann.js", f"http://127.0.0.1:{port}"],
                cwd=tmp_path,
                env={**os.environ, "NODE_PATH": str(packages())},
                stdout=subprocess.PIPE,
            ) as running,
        ):
            bob.done("join", room="lobby")
            while bob.event("joined")["nick"] != "ann":
                pass
            bob.done("say", room="lobby", text="anybody?")
            assert bob.event("message")["text"] == "hello, bob"
            assert running.communicate(timeout=SECONDS)[0] == b"bob: anybody?\n"
    finally:
        daemon.kill()
