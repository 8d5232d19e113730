"""klein: an application's resource in twisted.web's Site, by curl."""

from __future__ import annotations

from collections.abc import Generator

from tests.strangers.subject import SECONDS, Listener, Stranger
from tests.strangers.taking import ran, slowly

PIECE = 64 << 10
PIECES = 200

SOURCE = f"""
from klein import Klein
from twisted.internet.task import cooperate, deferLater
from twisted.web.server import Site


def factory(reactor):
    app = Klein()

    @app.route("/hello/<name>")
    def hello(request, name):
        return "hello, " + name

    @app.route("/late", methods=["POST"])
    async def late(request):
        await deferLater(reactor, 0.05)
        return request.content.read()[::-1]

    @app.route("/large")
    async def large(request):
        for number in range({PIECES}):
            request.write(bytes([number]) * {PIECE})
            await deferLater(reactor, 0)

    return Site(app.resource())
"""
LARGE = b"".join(bytes([number]) * PIECE for number in range(PIECES))


def talk(where: Listener) -> None:
    words, base = where.curl("http")
    common = ("curl", "-sS", "--max-time", str(SECONDS), *words)
    assert ran(*common, base + "/hello/world") == b"hello, world"
    assert ran(*common, "-d", "abc", base + "/late") == b"cba"
    assert ran(*common, base + "/large") == LARGE
    assert ran(*common, "-o", "/dev/null", "-w", "%{http_code}", base + "/none") == b"404"


def transfer(where: Listener) -> Generator[None]:
    words, base = where.curl("http")
    return slowly(["curl", "-sS", *words, base + "/large"], LARGE)


KLEIN = Stranger(
    "klein",
    "klein: `Site(app.resource())`",
    "curl",
    SOURCE,
    talk,
    transfer,
    "an answer in many pieces",
    programs=("curl",),
    packages=("klein",),
)
