"""A plain Twisted echo and one line more, ``accelerate()``: our transport without our daemon.

What the daemon around a port costs for each message is the difference to it.

::

    python accelerated_server.py tcp-echo

Prints ``listening PORT``.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.protocol import Factory, Protocol

from socketsuite.transport.burst import accelerate

reactor: Any = installed_reactor


class Echo(Protocol):
    transport: Any

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        # As our own echo has it: what is received is what is written.
        self.dataReceived = self.transport.write  # type: ignore[method-assign]


def main() -> None:
    factory = Factory.forProtocol(Echo)
    port = accelerate(reactor.listenTCP(0, factory, backlog=511, interface="127.0.0.1"))
    print(f"listening {port.getHost().port}", flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
