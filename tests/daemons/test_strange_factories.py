"""What a stranger's target gives: what can serve is served, and anything else is one line."""

from __future__ import annotations

import socket

import pytest

from socketsuite.testing import Daemon, read_exactly
from tests.daemons.conftest import Start
from tests.support.outside import SECONDS

CHECK = "--check-config"


def refusal(daemon: Daemon, status: int) -> str:
    """Return the one line of a daemon that does not start, without its name."""
    assert daemon.wait() == status, daemon.log + daemon.errors
    assert daemon.errors.count("\n") == 1, daemon.errors
    assert "Traceback" not in daemon.errors
    assert "listening" not in daemon.log
    line = daemon.errors.removeprefix("acme-odd: ").rstrip("\n")
    assert not line.startswith("acme-odd")
    return line


def answers_datagrams(daemon: Daemon) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.settimeout(SECONDS)
        caller.connect(("127.0.0.1", daemon.port("udp")))
        caller.send(b"hello")
        return caller.recv(100) == b"hello"


# ── UDP of what a target returns ────────────────────────────────────────────────────────

CONSTRUCTOR = """
class Odd(Both):
    @classmethod
    def new(cls) -> Odd:
        return cls()
make = Odd.new
"""
CALLED = """
class Maker:
    def __call__(self) -> Both:
        return Both()
make = Maker()
"""
SPEAKING = {
    "a class": ("make = Both", ""),
    "a function that says so": ("def make() -> Both:\n    return Both()", ""),
    "a class's own constructor": (CONSTRUCTOR, ""),
    "part of a call": ("make = functools.partial(Both)", ""),
    "an object that is called": (CALLED, ""),
    "a function that says nothing": ("def make():\n    return Both()", ""),
    "a function whose plugin says so": ("def make():\n    return Both()", ", udp=True"),
}


@pytest.mark.parametrize("target", SPEAKING)
def test_what_a_target_returns_speaks_udp(stranger: Start, target: str) -> None:
    source, more = SPEAKING[target]
    daemon = stranger(source, "--port", "0", more=more).wait_until_ready()
    assert answers_datagrams(daemon)
    assert daemon.stop() == 0


def test_a_plugin_may_leave_its_udp_unserved(stranger: Start) -> None:
    source = "def make():\n    return Both()"
    daemon = stranger(source, "--port", "0", more=", udp=False").wait_until_ready()
    assert daemon.ports("udp") == []
    assert daemon.stop() == 0


def test_a_plugin_that_promises_udp_and_has_none_is_refused(stranger: Start) -> None:
    line = refusal(stranger("make = Plain", "--port", "0", more=", udp=True"), 1)
    assert "made an object of Plain, which has no buildDatagramProtocol() for UDP" in line


# ── what cannot serve ───────────────────────────────────────────────────────────────────

MISTAKEN = """
@dataclass(eq=False)
class make(ServerFactory):
    def __post_init__(self):
        raise SettingsError("say something else")
"""
UNFIT = {
    "nothing": ("def make():\n    pass", "made nothing (None), which is no IProtocolFactory"),
    "a coroutine": ("async def make():\n    return Plain()", "made a coroutine; a factory is made"),
    "a class": ("def make():\n    return Plain", "made the class Plain, not an object of it"),
    "a protocol": ("make = Echo", "an object of Echo, which is no IProtocolFactory: it has no bui"),
    "a frozen object": (
        "@dataclass(frozen=True)\nclass make(ServerFactory):\n    pass",
        "made a frozen object, whose connections Twisted cannot count; make make a dataclass with",
    ),
    "an error": (
        "def make():\n    raise RuntimeError('no\\n database')",
        "acme_odd:make raised RuntimeError: no database",
    ),
    "an error without words": ("def make():\n    raise KeyError", "acme_odd:make raised KeyError"),
    "a user's mistake": (MISTAKEN, "say something else"),
    "a wrong call": (
        "class make(ServerFactory):\n    def __init__(self, needed):\n        pass",
        "raised TypeError: make.__init__() missing 1 required positional argument: 'needed'",
    ),
}


@pytest.mark.sampled(5)
@pytest.mark.parametrize("arguments", [("--port", "0"), (CHECK,)], ids=["start", "check"])
@pytest.mark.parametrize("target", UNFIT)
def test_what_cannot_serve_is_one_line_and_status_1_for_a_start_and_a_check(
    stranger: Start, target: str, arguments: tuple[str, ...]
) -> None:
    source, words = UNFIT[target]
    daemon = stranger(source, *arguments)
    assert words in refusal(daemon, 1)
    assert "never awaited" not in daemon.log + daemon.errors


def test_an_error_in_startFactory_is_one_line_and_its_traceback_is_in_the_log(
    stranger: Start,
) -> None:
    source = "class make(Plain):\n    def startFactory(self):\n        raise RuntimeError('boom')"
    daemon = stranger(source, "--port", "0")
    assert refusal(daemon, 1) == "startFactory() of acme_odd:make raised RuntimeError: boom"
    assert "debug startFactory() of acme_odd:make raised" in daemon.log
    assert "in startFactory" in daemon.log


def test_one_datagram_protocol_for_two_sockets_is_one_line_with_the_cure(stranger: Start) -> None:
    source = (
        "class make(Plain):\n    one = EchoDatagram()\n"
        "    def buildDatagramProtocol(self):\n        return self.one"
    )
    line = refusal_after_listening(stranger(source, "--port", "0"))
    assert line == (
        "acme-odd: buildDatagramProtocol() of acme_odd:make made one object for two sockets;"
        " let it make a new one each time it is asked\n"
    )


def test_no_datagram_protocol_is_one_line(stranger: Start) -> None:
    source = "class make(Plain):\n    def buildDatagramProtocol(self):\n        pass"
    line = refusal_after_listening(stranger(source, "--port", "0"))
    assert "made nothing (None), which is no datagram protocol" in line


def refusal_after_listening(daemon: Daemon) -> str:
    assert daemon.wait() == 1
    assert daemon.errors.count("\n") == 1
    assert "Traceback" not in daemon.log + daemon.errors
    return daemon.errors


# ── what is unusual, and can ────────────────────────────────────────────────────────────

UNUSUAL = {
    "slots": "@dataclass(eq=False, slots=True)\nclass make(Plain):\n    size: int = setting(1)",
    "no Factory at all": (
        "class make:\n    __slots__ = ()\n    def doStart(self): pass\n    def doStop(self): pass\n"
        "    def buildProtocol(self, addr):\n        return Echo()"
    ),
    "frozen, and no Factory": (
        "@dataclass(frozen=True)\nclass make:\n    def doStart(self): pass\n"
        "    def doStop(self): pass\n    def buildProtocol(self, addr):\n        return Echo()"
    ),
}


@pytest.mark.parametrize("kind", UNUSUAL)
def test_a_factory_that_refuses_attributes_is_served(stranger: Start, kind: str) -> None:
    daemon = stranger(UNUSUAL[kind], "--port", "0").wait_until_ready()
    with daemon.connect() as caller:
        caller.sendall(b"hello")
        assert read_exactly(caller, 5) == b"hello"
    assert daemon.stop() == 0


# ── declarations ────────────────────────────────────────────────────────────────────────

CLASS = "@dataclass(eq=False)\nclass make(Plain):\n    "
WRONG = {
    "reactor": (f"{CLASS}reactor: str = setting('')", "'reactor' is what a factory is handed"),
    "emit": (f"{CLASS}emit: str = setting('')", "'emit' is what a factory is handed"),
    "backlog": (f"{CLASS}backlog: int = setting(1)", "'backlog' is a setting of every daemon"),
    "admin": (f"{CLASS}admin: str = setting('')", "'admin' is a setting of every daemon, under"),
    "no_reuse_port": (
        f"{CLASS}no_reuse_port: int = setting(1)",
        "'no_reuse_port' is a setting of every daemon, under 'Listening'; call it otherwise",
    ),
    "help": (f"{CLASS}help: str = setting('')", "'help' is the flag --help; call it otherwise"),
    "bytes": (f"{CLASS}word: bytes = setting(b'')", "make.word: bytes is no type that a setting"),
    "a fixed length": (
        f"{CLASS}word: tuple[int, int] = setting((1, 2))",
        "make.word: tuple[int, int] has a fixed length; say int, float, bool, str, Path",
    ),
    "a name for type checkers": (
        f"{CLASS}word: Missing = setting(1)",
        "make.word: its annotation Missing cannot be read (name 'Missing' is not defined)",
    ),
    "no dataclass": (
        "class make(Plain):\n    word: int = setting(1)",
        "make.word is a setting, and make is no dataclass: write @dataclass(eq=False) above it",
    ),
    "a broken module": ("1 / 0", "plugin acme-odd cannot load acme_odd:make: ZeroDivisionError"),
    "no function": ("make = 7", "cannot load acme_odd:make: it is neither a class nor a function"),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_declaration_is_one_line_naming_plugin_setting_and_cure(
    stranger: Start, mistake: str
) -> None:
    source, words = WRONG[mistake]
    line = refusal(stranger(source, "--port", "0"), 2)
    assert words in line
    assert line.startswith("plugin acme-odd")


KINDS = (
    "class Color(enum.Enum):\n    DARK_RED = 1\n    BLUE = 2\n"
    f"{CLASS}width: Literal[1, 2] = setting(1)\n"
    "    color: Color = setting(Color.BLUE)\n    words: list[str] = setting([])\n"
    "    limit: int | str = setting('none')\n"
    "    def startFactory(self):\n"
    "        print('told', repr([self.width, self.color, self.words, self.limit]))"
)


def test_settings_of_unusual_kinds_are_read_from_flags_variables_and_toml(
    stranger: Start, launch: Start
) -> None:
    flags = ("--width", "2", "--color", "dark-red", "--words", "a", "--words", "b", "--limit", "7")
    by_flag = stranger(KINDS, "--port", "0", *flags)
    by_flag.wait_for_line(r"told \[2, <Color.DARK_RED: 1>, \['a', 'b'\], 7\]")
    by_default = stranger(KINDS, "--port", "0")
    by_default.wait_for_line(r"told \[1, <Color.BLUE: 2>, \[\], 'none'\]")
    wrong = stranger(KINDS, "--color", "red")
    assert "color = 'red' (--color) is not valid; allowed: dark-red, blue" in refusal(wrong, 2)
