"""All commands, by name; and HELP, which shows them."""

from __future__ import annotations

from socketsuite.services.chat.irc import (
    commands_accounts,
    commands_history,
    commands_modes,
    commands_people,
    commands_renaming,
    commands_rooms,
    commands_server,
    commands_talk,
    multiline,
    registration,
    sasl_login,
)
from socketsuite.services.chat.irc.client import Client
from socketsuite.services.chat.irc.command import Command
from socketsuite.wire.irc import Line, packed


def show_help(client: Client, line: Line) -> None:
    """HELP: the commands, or one of them."""
    subject = line.parameters[0].upper() if line.parameters else "*"
    command = COMMANDS.get(subject)
    if command is not None:
        client.reply("RPL_HELPSTART", subject, text=f"{subject} {command.usage}".strip())
        client.reply("RPL_HELPTXT", subject, text=command.about)
    elif subject == "*":
        client.reply("RPL_HELPSTART", subject, text="Commands; HELP COMMAND tells more of one")
        for text in packed(COMMANDS, 70):
            client.reply("RPL_HELPTXT", subject, text=text)
    else:
        client.reply("ERR_HELPNOTFOUND", subject[:32])
        return
    client.reply("RPL_ENDOFHELP", subject)


COMMANDS: dict[str, Command] = dict(
    sorted(
        {
            "HELP": Command(show_help, "[COMMAND]", "see what there is"),
            **registration.COMMANDS,
            **sasl_login.COMMANDS,
            **commands_accounts.COMMANDS,
            **commands_rooms.COMMANDS,
            **commands_renaming.COMMANDS,
            **commands_talk.COMMANDS,
            **multiline.COMMANDS,
            **commands_history.COMMANDS,
            **commands_modes.COMMANDS,
            **commands_people.COMMANDS,
            **commands_server.COMMANDS,
        }.items()
    )
)
