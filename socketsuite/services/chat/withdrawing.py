"""Accounts that are no more: who was logged in is so no longer, and is told.

This module knows no wire and no transport.
"""

from __future__ import annotations

from socketsuite.services.chat import events
from socketsuite.services.chat.hub import Hub
from socketsuite.services.chat.logins import Logins


def withdraw(hub: Hub, logins: Logins) -> None:
    """Log out whose account *logins* does not have any more; the same for operators."""
    for person in tuple(hub.people.values()):
        account, operator = person.account, person.operator_account
        if operator is not None and not logins.is_operator(operator):
            person.operator, person.operator_account = False, None
            hub.tell([person], events.OperatorLost(person.facts))
        if account is not None and logins.book.find(account) is None:
            hub.set_account(person, None)
            hub.tell([person], events.LoggedOut(person.facts))
