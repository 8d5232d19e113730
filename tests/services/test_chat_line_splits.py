"""The line frontend understands the same, however its stream was cut; and ``--ncat-chat``."""

from __future__ import annotations

import itertools
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from socketsuite.services.chat.line_commands import COMMANDS
from socketsuite.wire.printable import printable
from tests.services.line_chat import LineRoom

LINES = st.one_of(
    st.sampled_from(["hello", "", "//etc", "/nick bobby", "/join den", "/leave", "/me a\rb"]),
    st.builds("/{} {}".format, st.sampled_from(list(COMMANDS)), st.sampled_from(["", "ann", "9"])),
    st.text(alphabet="/abc \x1b\u202e-é", max_size=8),
)


def conversation(data: bytes, cuts: list[int]) -> list[str]:
    room = LineRoom()
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(places):
        room.streams["bob"].protocol.dataReceived(data[start:end])
        while room.clock.getDelayedCalls() and not room.streams["bob"].half_closed:
            room.clock.advance(0)
    return [once(room.seen(name)) for name in ("ann", "bob", "cat")]


def once(seen: str) -> str:
    """Return *seen* with one refusal for many: it is told of what was said together."""
    return re.sub(r"^(\* not said: .*\n)\1+", r"\1", seen, flags=re.M)


@given(st.lists(LINES, max_size=12), st.lists(st.integers(0, 10_000), max_size=8))
@settings(max_examples=150, deadline=None)
def test_what_lines_do_does_not_depend_on_how_they_were_cut(
    lines: list[str], cuts: list[int]
) -> None:
    data = "".join(f"{line}\n" for line in lines).encode()
    assert conversation(data, cuts) == conversation(data, [])


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
@settings(max_examples=150, deadline=None)
def test_any_bytes_leave_everybody_else_a_safe_screen(data: bytes, cuts: list[int]) -> None:
    for seen in conversation(data + b"\n/" + data, cuts):
        *lines, rest = seen.encode().split(b"\n")
        assert rest == b""
        assert [line for line in lines if printable(line) != line] == []
        assert [line for line in lines if not line.startswith((b"-> ", b"* "))] == []


# ── --ncat-chat ─────────────────────────────────────────────────────────────────────────


def test_ncats_format_is_spoken_and_no_command_obeyed() -> None:
    room = LineRoom({"ncat_chat": True})
    dan, eve = room.enter("dan"), room.enter("eve")
    assert (
        dan.value()
        .decode()
        .startswith(
            "<announce> 192.168.1.1 is connected as <user4>.\n"
            "<announce> already connected: 192.168.1.1 as <user1>, 192.168.1.1 as <user2>, "
            "192.168.1.1 as <user3>.\n"
        )
    )
    room.forget()
    room.type("dan: hello\ndan: /nick root\ndan: //\ndan: \x1b[2J")
    assert eve.value().decode() == (
        "<user4> hello\n<user4> /nick root\n<user4> //\n<user4> ^[[2J\n"
    )
    room.forget()
    dan.gone()
    assert eve.value() == b"<announce> <user4> is disconnected.\n"


def test_nobody_elsewhere_is_taken_for_ncats_announcer() -> None:
    room = LineRoom({"ncat_chat": True})
    hub, ann = room.service.hub, room.people["ann"]
    hub.rename(ann, "Announce")
    assert room.seen("cat") == "<announce> <user1> is now <Announce>.\n"
    room.forget()
    hub.speech.say(ann, "lobby", [b"all is well"])
    hub.speech.say(ann, "lobby", [b"waves"], "emote")
    assert room.seen("cat") == "<announce?> all is well\n<announce?> * waves\n"
