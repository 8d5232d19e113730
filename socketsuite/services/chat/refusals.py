"""What the hub refuses, each with a code: a frontend has its own number or words for it."""

from __future__ import annotations

from typing import Literal

Code = Literal[
    "nick_in_use",
    "nick_confusable",
    "nick_reserved",
    "bad_nick",
    "bad_room",
    "no_such_nick",
    "no_such_room",
    "no_such_message",
    "not_in_room",
    "they_are_not_in_room",
    "room_name_in_use",
    "cannot_rename",
    "already_in_room",
    "banned",
    "invite_only",
    "bad_key",
    "room_full",
    "too_many_rooms",
    "cannot_say",
    "not_room_operator",
    "not_operator",
    "list_full",
    "bad_mode",
    "too_long",
    "nothing_to_say",
    "busy",
    "no_accounts",
    "wrong_password",
    "bad_request",
    "account_exists",
    "bad_password",
    "weak_password",
    "not_saved",
]


class Refused(Exception):
    """The hub does not do it.

    :ivar code: which refusal.
    :ivar about: the nick, room or mode that it is about.
    :ivar text: why, for people.
    """

    def __init__(self, code: Code, about: str, text: str) -> None:
        super().__init__(f"{about}: {text}" if about else text)
        self.code = code
        self.about = about
        self.text = text
