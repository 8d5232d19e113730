"""What accounts give, and what is taken back when they are no more.

This module knows no wire and no transport.
"""

from __future__ import annotations

from socketsuite.services.chat import events
from socketsuite.services.chat.hub import Hub
from socketsuite.services.chat.logins import Logins
from socketsuite.services.chat.person import Person


def empower(person: Person, logins: Logins, account: str) -> None:
    """Have *person*, logged in as *account*, be an operator of the server where that is one's."""
    person.operator = logins.is_operator(account)
    person.operator_account = account if person.operator else None


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
