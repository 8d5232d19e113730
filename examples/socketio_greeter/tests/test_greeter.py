from pathlib import Path

from socketsuite.testing import Daemon
from tests.support.node_packages import node

CLIENT = Path(__file__).parents[1] / "client.js"


def test_the_client_and_the_server_greet_each_other(tmp_path: Path) -> None:
    with Daemon(tmp_path, "acme-greeter", "--port", "0") as daemon:
        done = node(CLIENT, f"http://127.0.0.1:{daemon.port()}")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == ["Hola, cliente", "recibido", "para mí"]
        daemon.wait_for_line("Hola, servidor")
