"""The hub: people, rooms, and what is told to whom; no wire and no transport."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.services.chat import events
from socketsuite.services.chat.events import Event
from socketsuite.services.chat.history import HistoryLimits
from socketsuite.services.chat.hub import Hub
from socketsuite.services.chat.nicks import key_of, skeleton
from socketsuite.services.chat.person import Person
from socketsuite.services.chat.refusals import Refused
from socketsuite.wire.masks import matches, normal_mask
from socketsuite.wire.names import BadNameError, checked_nick, checked_room


class Club:
    """A hub, and people who keep what they are told."""

    def __init__(self, **more: Any) -> None:
        self.now = 1000.0
        self.hub = Hub(lambda: self.now, **more)
        self.heard: dict[Person, list[Event]] = {}
        self.renders = 0
        self._last: Event | None = None

    def render(self, event: Event) -> bytes:
        self.renders += 1
        self._last = event
        return b"x"

    def enter(self, nick: str = "", *rooms: str, host: str = "192.0.2.1") -> Person:
        def write(_: bytes) -> None:
            assert self._last is not None
            self.heard[person].append(self._last)

        person = self.hub.enter(
            frontend="test", host=host, render=self.render, write=write, close=lambda _: None
        )
        self.heard[person] = []
        if nick:
            self.hub.rename(person, nick)
        for room in rooms:
            self.hub.join(person, room)
        return person

    def told(self, person: Person) -> list[Event]:
        """Return what *person* has heard since it was last asked."""
        heard, self.heard[person] = self.heard[person], []
        return heard


@pytest.fixture
def club() -> Club:
    return Club()


def refused(do: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        do()
    return caught.value.code


def test_what_one_says_reaches_all_others_in_the_room_and_nobody_else(club: Club) -> None:
    ann, bob, cem, eve = (club.enter(name, "tea") for name in ("ann", "bob", "cem", "eve"))
    club.hub.leave(eve, "tea")
    for each in (ann, bob, cem, eve):
        club.told(each)
    before = club.renders
    (message,) = club.hub.speech.say(ann, "#Tea", [b"hello"])
    assert club.renders == before + 1  # once for all who see alike
    assert club.told(bob) == club.told(cem) == [events.Said((message,))]
    assert club.told(ann) == club.told(eve) == []
    assert (message.nick, message.text, message.room, message.named) == (
        *("ann", b"hello", "tea", True),
    )


def test_messages_have_ids_of_their_own_and_a_place_in_their_rooms_order(club: Club) -> None:
    ann = club.enter("ann", "tea", "coffee")
    said = [
        *club.hub.speech.say(ann, "tea", [b"1", b"2"]),
        *club.hub.speech.say(ann, "coffee", [b"3"]),
    ]
    said += club.hub.speech.say(ann, "tea", [b"4"])
    assert [one.order for one in said] == [1, 2, 1, 3]
    assert len({one.id for one in said}) == 4
    assert [one.text for one in club.hub.room("tea").history] == [b"1", b"2", b"4"]


@pytest.mark.parametrize(
    ("nick", "code"),
    [
        ("BOB", "nick_in_use"),
        ("b\u043eb", "bad_nick"),  # a Cyrillic letter among Latin ones
        ("\u0430\u0441\u0435", "nick_confusable"),  # all Cyrillic, looks like ace
        ("", "bad_nick"),
        ("a b", "bad_nick"),
        ("a\u200bb", "bad_nick"),
        ("a\u202eb", "bad_nick"),
        ("a!b@c", "bad_nick"),
        ("1st", "bad_nick"),
        ("x" * 33, "bad_nick"),
        ("\u0301a", "bad_nick"),
        ("owned", "nick_reserved"),
    ],
)
def test_a_nick_that_is_not_safe_or_is_anothers_is_refused(nick: str, code: str) -> None:
    club = Club(owner_of=lambda key: "owner" if key == "owned" else None)
    club.enter("bob")
    club.enter("ace")
    ann = club.enter("ann")
    assert refused(lambda: club.hub.rename(ann, nick)) == code
    assert ann.nick == "ann"
    ann.account = "owner"
    club.hub.rename(ann, "owned")


def test_a_new_nick_is_told_once_to_all_who_share_a_room(club: Club) -> None:
    ann, bob = club.enter("ann", "tea", "coffee"), club.enter("bob", "tea", "coffee")
    other = club.enter("zoe", "elsewhere")
    for each in (ann, bob, other):
        club.told(each)
    club.hub.rename(ann, "anna")
    (event,) = club.told(bob)
    assert isinstance(event, events.Renamed)
    assert (event.person.nick, event.nick) == ("ann", "anna")
    assert club.told(ann) == [event]
    assert club.told(other) == []
    club.enter("ann")  # is free again


def test_who_quits_is_told_once_and_leaves_nothing(club: Club) -> None:
    ann, bob = club.enter("ann", "tea", "coffee"), club.enter("bob", "tea", "coffee")
    club.told(bob)
    club.hub.quit(ann, "bye")
    club.hub.quit(ann, "again")
    (event,) = club.told(bob)
    assert isinstance(event, events.Quit)
    club.hub.quit(bob)
    assert club.hub.people == {}
    assert list(club.hub.rooms) == ["lobby"]
    assert club.hub.lobby.listeners == {}


def test_one_who_cannot_be_told_is_out_and_the_rest_hear(club: Club) -> None:
    ann, bob, cem = (club.enter(name, "tea") for name in ("ann", "bob", "cem"))

    def broken(_: bytes) -> None:
        raise OSError("gone")

    bob.write = broken
    room = club.hub.room("tea")
    room.listens_anew(bob)
    club.told(cem)
    club.hub.speech.say(ann, "tea", [b"hello"])
    kinds = {type(event) for event in club.told(cem)}
    assert kinds == {events.Said, events.Quit}
    assert bob not in room.members


# ── moderation ──────────────────────────────────────────────────────────────────────────


def test_the_first_in_a_room_is_its_operator_and_nobody_else(club: Club) -> None:
    ann, bob = club.enter("ann", "tea"), club.enter("bob", "tea")
    hub = club.hub
    assert refused(lambda: hub.moderation.kick(bob, "ann", "tea")) == "not_room_operator"
    assert refused(lambda: hub.moderation.set_topic(bob, "tea", "mine")) == "not_room_operator"
    assert (
        refused(lambda: hub.moderation.set_modes(bob, "tea", [(True, "m", None)]))
        == "not_room_operator"
    )
    hub.moderation.set_modes(ann, "tea", [(True, "o", "bob")])
    hub.moderation.kick(bob, "ann", "tea", "out")
    assert refused(lambda: hub.speech.say(ann, "tea", [b"x"])) == "cannot_say"
    hub.join(ann, "tea")  # a kick is no ban


@pytest.mark.parametrize(
    ("modes", "code"),
    [
        ([(True, "b", "bob")], "banned"),
        ([(True, "b", "*!*@192.0.2.*")], "banned"),
        ([(True, "i", None)], "invite_only"),
        ([(True, "k", "secret")], "bad_key"),
        ([(True, "l", "1")], "room_full"),
    ],
)
def test_who_may_not_come_in_is_told_why_and_an_invitation_lets_in(
    club: Club, modes: list[tuple[bool, str, str | None]], code: str
) -> None:
    ann, bob = club.enter("ann", "tea"), club.enter("bob")
    club.hub.moderation.set_modes(ann, "tea", modes)
    assert refused(lambda: club.hub.join(bob, "tea")) == code
    club.hub.moderation.invite(ann, "bob", "tea")
    club.hub.join(bob, "tea", None)
    club.hub.leave(bob, "tea")
    assert refused(lambda: club.hub.join(bob, "tea")) == code  # it holds once


def test_a_key_an_exception_and_an_invite_mask_let_in(club: Club) -> None:
    ann, bob = club.enter("ann", "tea"), club.enter("bob")
    hub = club.hub
    hub.moderation.set_modes(
        ann, "tea", [(True, "k", "secret"), (True, "b", "bob"), (True, "e", "b*")]
    )
    hub.join(bob, "tea", "secret")
    hub.leave(bob, "tea")
    hub.moderation.set_modes(
        ann, "tea", [(False, "k", "x"), (True, "i", None), (True, "I", "BOB!*@*")]
    )
    hub.join(bob, "tea")


@pytest.mark.parametrize("modes", [[(True, "m", None)], [(True, "q", "bob")], [(True, "b", "bob")]])
def test_who_may_not_speak_is_refused_until_given_voice(
    club: Club, modes: list[tuple[bool, str, str | None]]
) -> None:
    ann, bob = club.enter("ann", "tea"), club.enter("bob", "tea")
    club.hub.moderation.set_modes(ann, "tea", modes)
    assert refused(lambda: club.hub.speech.say(bob, "tea", [b"x"])) == "cannot_say"
    club.hub.moderation.set_modes(ann, "tea", [(True, "v", "bob")])
    club.hub.speech.say(bob, "tea", [b"x"])


def test_a_list_has_an_end(club: Club) -> None:
    ann = club.enter("ann", "tea")
    for number in range(100):
        club.hub.moderation.set_modes(ann, "tea", [(True, "b", f"n{number}")])
    code = refused(lambda: club.hub.moderation.set_modes(ann, "tea", [(True, "e", "one")]))
    assert code == "list_full"
    assert club.hub.moderation.set_modes(ann, "tea", [(False, "b", "N7")]) == [
        (False, "b", "n7!*@*")
    ]


def test_an_operator_of_the_server_may_everything(club: Club) -> None:
    ann, oper = club.enter("ann", "tea"), club.enter("oper")
    club.hub.moderation.set_modes(ann, "tea", [(True, "i", None), (True, "m", None)])
    oper.operator = True
    club.hub.moderation.kick(oper, "ann", "tea")
    club.hub.join(oper, "tea")


# ── history, masks, names ───────────────────────────────────────────────────────────────


def test_history_is_bounded_in_lines_bytes_and_age() -> None:
    limits = HistoryLimits(lines=3, size=10_000, seconds=60)
    club = Club(limits=limits)
    ann = club.enter("ann", "tea")
    for number in range(5):
        club.hub.speech.say(ann, "tea", [b"%d" % number])
    history = club.hub.room("tea").history
    assert [one.text for one in history] == [b"2", b"3", b"4"]
    assert [one.text for one in history.latest(2)] == [b"3", b"4"]
    club.hub.speech.say(ann, "tea", [b"x" * 9700])
    assert [one.text[:1] for one in history] == [b"x"]
    club.now += 61
    assert len(history) == history.size == 0


@pytest.mark.parametrize(
    ("mask", "whole"),
    [
        ("bob", "bob!*@*"),
        ("*@host", "*!*@host"),
        ("a!b@c", "a!b@c"),
        ("a!b", "a!b@*"),
        ("", "*!*@*"),
        ("***!*", "*!*@*"),
    ],
)
def test_a_mask_is_made_whole(mask: str, whole: str) -> None:
    assert normal_mask(mask) == whole


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=12))
def test_a_mask_matches_what_a_regular_expression_does(mask: str, text: str) -> None:
    import re

    pattern = "".join({"*": ".*", "?": "."}.get(c, c) for c in mask)
    assert matches(mask, text) == (re.fullmatch(pattern, text) is not None)


def test_the_worst_mask_costs_little() -> None:
    assert not matches("*a" * 100, "a" * 99)
    assert not matches("*a*" * 60 + "b", "a" * 2000)


@given(st.text(max_size=40))
def test_a_name_that_is_taken_stays_as_it_is(name: str) -> None:
    try:
        taken = checked_nick(name)
    except BadNameError:
        return
    assert checked_nick(taken) == taken
    assert taken.isprintable()
    assert not set(taken) & set(" ,*?!@:#")
    assert key_of(taken) == key_of(key_of(taken))
    assert skeleton(taken) == skeleton(taken)


@pytest.mark.parametrize("name", ["c#", "#c#", "a.b+c&d'e~"])
def test_the_name_of_a_room_is_the_same_with_and_without_its_sign(name: str) -> None:
    plain = checked_room(name)
    assert checked_room(plain) == checked_room(f"#{plain}") == plain


@pytest.mark.parametrize("name", ["##c", "###", "#"])
def test_no_room_s_name_begins_with_two_signs(name: str) -> None:
    with pytest.raises(BadNameError):
        checked_room(name)


def test_an_invitation_is_of_who_was_invited_and_not_of_a_nick(club: Club) -> None:
    host, bob, eve = club.enter("host", "tea"), club.enter("bob"), club.enter("eve")
    club.hub.moderation.set_modes(host, "tea", [(True, "i", None)])
    club.hub.moderation.invite(host, "bob", "tea")
    club.hub.rename(bob, "robert")
    club.hub.rename(eve, "bob")
    with pytest.raises(Refused, match="invited"):
        club.hub.join(eve, "tea")
    club.hub.join(bob, "tea")
    assert set(club.hub.rooms["tea"].members) == {host, bob}


def test_only_an_operator_s_invitation_lets_in_whom_something_keeps_out(club: Club) -> None:
    host, friend, bob = club.enter("host", "tea"), club.enter("friend", "tea"), club.enter("bob")
    club.hub.moderation.set_modes(host, "tea", [(True, "b", "bob")])
    club.hub.moderation.invite(friend, "bob", "tea")
    assert type(club.told(bob)[-1]) is events.Invited
    with pytest.raises(Refused, match="banned"):
        club.hub.join(bob, "tea")
    club.hub.moderation.invite(host, "bob", "tea")
    assert bob in club.hub.join(bob, "tea").members
