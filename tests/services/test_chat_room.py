"""A room: what one says reaches all the others."""

from collections.abc import Sequence

from twisted.logger import capturedLogs

from socketsuite.services.chat.room import Room


def plain(lines: Sequence[bytes]) -> bytes:
    return b"|".join(lines)


class Listener:
    def __init__(self, room: Room, render=plain):
        self.heard: list[bytes] = []
        room.join(self, render, self.write)

    def write(self, wire: bytes) -> None:
        self.heard.append(wire)


class Deaf(Listener):
    calls = 0

    def write(self, wire: bytes) -> None:
        self.calls += 1
        raise RuntimeError("the line is dead")


def test_the_others_hear_and_the_speaker_does_not():
    room = Room()
    a, b, c = Listener(room), Listener(room), Listener(room)
    room.say(a, [b"hello", b"there"])
    assert (a.heard, b.heard, c.heard) == ([], [b"hello|there"], [b"hello|there"])


def test_who_has_left_hears_nothing_more():
    room = Room()
    a, b = Listener(room), Listener(room)
    room.leave(b)
    room.leave(b)
    room.say(a, [b"alone"])
    assert b.heard == []
    assert len(room) == 1


def test_a_member_that_cannot_be_told_is_put_out_and_the_rest_hear_on():
    room = Room()
    speaker, deaf, last = Listener(room), Deaf(room), Listener(room)
    with capturedLogs() as events:
        room.say(speaker, [b"one"])
        room.say(speaker, [b"two"])
    assert last.heard == [b"one", b"two"]
    assert deaf.calls == 1
    assert len(events) == 1
    assert "log_failure" not in events[0]


def test_members_may_come_and_go_while_others_are_being_told():
    room = Room()
    speaker = Listener(room)

    class Restless(Listener):
        def write(self, wire: bytes) -> None:
            super().write(wire)
            room.leave(self)
            Listener(room, render=lambda lines: b"through another door")

    restless, last = Restless(room), Listener(room)
    room.say(speaker, [b"fire"])
    assert (restless.heard, last.heard) == ([b"fire"], [b"fire"])
    assert len(room) == 3


def test_a_line_is_rendered_once_for_each_door():
    room = Room()
    calls: list[Sequence[bytes]] = []

    def loud(lines: Sequence[bytes]) -> bytes:
        calls.append(lines)
        return plain(lines).upper()

    speaker, a, b, c = Listener(room), Listener(room, loud), Listener(room, loud), Listener(room)
    room.say(speaker, [b"x", b"y"])
    assert (a.heard, b.heard, c.heard) == ([b"X|Y"], [b"X|Y"], [b"x|y"])
    assert len(calls) == 1
