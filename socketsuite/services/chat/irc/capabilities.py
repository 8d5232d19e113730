"""The capabilities that are offered, by name: what stands behind ``=``, and whether they render.

Who has which is a client's; what each means is where it is obeyed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Capability:
    """One capability.

    :ivar about: what a client has of it, for the documentation.
    :ivar renders: whether events look otherwise with it, so that renderers differ by it.
    :ivar value: what ``CAP LS 302`` shows behind ``=``.
    """

    about: str
    renders: bool = False
    value: str = ""


REGISTER = "draft/account-registration"

CAPABILITIES: dict[str, Capability] = {
    "account-notify": Capability("who logs in or out is told", renders=True),
    "account-tag": Capability("messages have the account of who sent them", renders=True),
    "away-notify": Capability("who goes away or comes back is told", renders=True),
    "batch": Capability("messages that belong together are marked", renders=True),
    "cap-notify": Capability("new and vanished capabilities are told"),
    "echo-message": Capability("one's own messages come back as others see them"),
    "extended-join": Capability("JOIN has account and real name", renders=True),
    "extended-monitor": Capability("who is monitored is heard of as those in one's rooms are"),
    "invite-notify": Capability("invitations of others to one's rooms are told", renders=True),
    "labeled-response": Capability("a labelled command's answer has its label"),
    "message-tags": Capability("tags, those of clients too, and TAGMSG", renders=True),
    "multi-prefix": Capability("NAMES and WHO show all of somebody's statuses"),
    "no-implicit-names": Capability("JOIN is not followed by the names"),
    REGISTER: Capability("REGISTER: making an account of one's nick"),
    "draft/channel-rename": Capability("a room that is renamed is the same room", renders=True),
    "draft/chathistory": Capability("CHATHISTORY instead of a replay when one joins"),
    "draft/multiline": Capability("messages of several lines, as one", renders=True),
    "draft/message-redaction": Capability("messages that are taken back", renders=True),
    "draft/pre-away": Capability("AWAY before registration ends"),
    "draft/read-marker": Capability("up to when one has read, for all one's clients"),
    "draft/no-implicit-names": Capability("as no-implicit-names, which was called so before"),
    "sasl": Capability("logging in before registration ends"),
    "server-time": Capability("messages have the time they were sent at", renders=True),
    "sts": Capability("where TLS is, for clients that are to use nothing else"),
    "setname": Capability("one's real name can be changed, and others' changes are told", True),
    "standard-replies": Capability("FAIL, WARN and NOTE instead of notices"),
    "userhost-in-names": Capability("NAMES shows whole masks"),
}
"""Every capability there is."""


@lru_cache(maxsize=256)
def shared(names: frozenset[str]) -> frozenset[str]:
    """Return the same object for equal sets: clients of one program ask for the same."""
    return names


RENDERING = frozenset(name for name, one in CAPABILITIES.items() if one.renders)

OF_CAPABILITIES = {
    "BATCH": "draft/multiline",
    "CHATHISTORY": "draft/chathistory",
    "MARKREAD": "draft/read-marker",
    "REDACT": "draft/message-redaction",
    "REGISTER": REGISTER,
    "RENAME": "draft/channel-rename",
    "SETNAME": "setname",
    "VERIFY": REGISTER,
}
"""Commands that came into being with a capability, whose errors are standard replies."""
