"""BATCH: messages of several lines, which a client says as a batch and others see at once.

After IRCv3's drafts multiline and client-batch.
"""

from __future__ import annotations

from socketsuite.services.chat.events import Kind
from socketsuite.services.chat.irc.client import Client
from socketsuite.services.chat.irc.command import Command
from socketsuite.services.chat.irc.commands_talk import client_tags, say_answered
from socketsuite.services.chat.irc.open_batch import KIND, OpenBatch, WrongBatchError
from socketsuite.wire.irc import Line

SECONDS = 30.0
"""How long a batch may be open."""

_SAYS = ("PRIVMSG", "NOTICE", "TAGMSG")


def batch(client: Client, line: Line) -> None:
    """BATCH: begin a message of several lines, or end it, by which it is said."""
    if not {"batch", KIND} <= client.capabilities:
        client.reply("ERR_UNKNOWNCOMMAND", "BATCH")
    elif line.parameters[0][:1] == "+":
        _begin(client, line)
    else:
        _end(client, line.parameters[0])


def _begin(client: Client, line: Line) -> None:
    known = client.open_batch
    if known is not None and not known.failed:
        _failed(client, known, WrongBatchError("Another batch has begun"))
    tags, now = client_tags(line), client.clock.seconds()
    try:
        client.open_batch = OpenBatch.begin(line, tags, "", now)
    except WrongBatchError as wrong:
        # What it was to have is not said line by line, either.
        client.open_batch = OpenBatch(line.parameters[0][1:], "", "", "", now, failed=True)
        _tell(client, wrong)
    else:
        client.open_batch.label = client.answer_later()


def _end(client: Client, reference: str) -> None:
    known = client.open_batch
    if known is None or reference != f"-{known.reference}":
        _failed(client, known, WrongBatchError("There is no such batch"))
        return
    client.open_batch = None
    if known.failed:
        return
    with client.labelled(known.label or client.answer_later()):
        try:
            text, cuts = known.message()
        except WrongBatchError as wrong:
            _tell(client, wrong)
            return
        kind: Kind = "notice" if known.command == "NOTICE" else "message"
        say_answered(client, known.target, [text], kind, known.tags, cuts)


def takes(client: Client, line: Line) -> bool:
    """Whether *line* is of a batch, and so not to be obeyed by itself."""
    known, reference = client.open_batch, line.tags.get("batch")
    if reference is None and (known is None or known.failed or line.command not in _SAYS):
        return False
    if known is None:
        if KIND not in client.capabilities:
            return False
        _tell(client, WrongBatchError("There is no such batch"))
    elif not known.failed:
        try:
            if reference != known.reference:
                raise WrongBatchError("The line is not of the batch that is open")
            known.add(line, client.server.most_lines)
        except WrongBatchError as wrong:
            _failed(client, known, wrong)
    return True


def tear(client: Client) -> None:
    """Have a batch fail of which lines were dropped."""
    known = client.open_batch
    if known is not None and not known.failed:
        _failed(client, known, WrongBatchError("Lines of the batch came too fast"))


def end_late(client: Client, now: float) -> None:
    """Have a batch fail that has been open for too long; *now* is by the reactor's clock."""
    known = client.open_batch
    if known is not None and not known.failed and now - known.opened > SECONDS:
        known.fail()
        with client.labelled(known.label):
            client.fail("BATCH", "TIMEOUT", known.reference, text="The batch was open for too long")


def _failed(client: Client, known: OpenBatch | None, wrong: WrongBatchError) -> None:
    """Tell what is wrong with the open batch; what else comes of it is dropped."""
    label = ""
    if known is not None and not known.failed:
        label = known.label
        known.fail()
    if label:
        client.answer_later()
        with client.labelled(label):
            _tell(client, wrong)
    else:
        _tell(client, wrong)


def _tell(client: Client, wrong: WrongBatchError) -> None:
    client.fail("BATCH", wrong.code, *wrong.context, text=wrong.text)


COMMANDS = {
    "BATCH": Command(batch, "+ID draft/multiline TARGET | -ID", "say several lines at once", 1),
}
