"""A room: what one says reaches all the others."""

from twisted.logger import capturedLogs

from socketsuite.services.chat.room import Room


class Listener:
    def __init__(self):
        self.heard = []

    def hear(self, remark):
        self.heard += remark.lines


class Deaf:
    calls = 0

    def hear(self, remark):
        self.calls += 1
        raise RuntimeError("the line is dead")


class Leaver(Listener):
    """Leaves as soon as it hears, and takes another with it."""

    def __init__(self, room, other):
        super().__init__()
        self.room, self.other = room, other

    def hear(self, remark):
        super().hear(remark)
        self.room.leave(self)
        self.room.leave(self.other)


def test_the_others_hear_and_the_speaker_does_not():
    room, (a, b, c) = Room(), (Listener(), Listener(), Listener())
    for member in (a, b, c):
        room.join(member)
    room.say(a, [b"hello", b"there"])
    assert (a.heard, b.heard, c.heard) == ([], [b"hello", b"there"], [b"hello", b"there"])


def test_a_member_that_cannot_be_told_is_put_out_and_the_rest_hear_on():
    room, speaker, deaf, last = Room(), Listener(), Deaf(), Listener()
    for member in (speaker, deaf, last):
        room.join(member)
    with capturedLogs() as events:
        room.say(speaker, [b"one"])
        room.say(speaker, [b"two"])
    assert last.heard == [b"one", b"two"]
    assert deaf.calls == 1
    assert len(events) == 1
    assert "log_failure" not in events[0]


def test_members_may_leave_while_others_are_being_told():
    room, speaker, taken_along, last = Room(), Listener(), Listener(), Listener()
    leaver = Leaver(room, taken_along)
    for member in (speaker, leaver, taken_along, last):
        room.join(member)
    room.say(speaker, [b"fire"])
    assert (leaver.heard, taken_along.heard, last.heard) == ([b"fire"], [], [b"fire"])
    assert len(room) == 2


def test_a_remark_is_rendered_once_for_all_who_render_alike():
    calls = []

    def render(lines):
        calls.append(lines)
        return b"".join(lines)

    class Renderer(Listener):
        def hear(self, remark):
            self.heard.append(remark.rendered(render))

    room, speaker, a, b = Room(), Listener(), Renderer(), Renderer()
    for member in (speaker, a, b):
        room.join(member)
    room.say(speaker, [b"x", b"y"])
    assert (a.heard, b.heard) == ([b"xy"], [b"xy"])
    assert len(calls) == 1
