"""``socketsuite admin``: runs a service's own command, or lists those there are.

This module must not know what any command does; nothing that a daemon says is trusted to be fit
for a terminal.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from socketsuite.cli.options import SECONDS, epilog, json_option, pass_output
from socketsuite.cli.output import Output
from socketsuite.cli.status import RUN, admin_option, find
from socketsuite.cli.units import safe
from socketsuite.transport.dial.failed import Failed
from socketsuite.transport.dial.target import Target


@click.command(
    context_settings={"allow_interspersed_args": False},
    epilog=epilog(
        [
            "socketsuite admin",
            "socketsuite admin kick bob",
            "socketsuite admin --json acme-chat kick bob",
        ],
        "no daemon answers there, or the command failed",
    ),
)
@admin_option
@click.option(
    "--timeout",
    type=SECONDS,
    default=35.0,
    show_default=True,
    metavar="SECONDS",
    help="How long connecting, and an answer, may take.",
)
@json_option
@click.argument("words", nargs=-1, metavar="[[SERVICE] COMMAND [ARG]...]")
@pass_output
def admin(output: Output, paths: Sequence[str], timeout: float, words: Sequence[str]) -> None:
    """Run a service's own command; without one, list those there are.

    The daemon was started with --admin PATH; it is found as 'socketsuite status' finds it.
    SERVICE is needed where several services have the command. Options come before the command.
    """
    from socketsuite.cli.run import run

    targets = [Target("", 0, path, None, timeout) for path in find(paths, os.environ, RUN)]
    output.peer = targets[0].peer if len(targets) == 1 else None
    run(lambda reactor: _admin(reactor, targets, words, output), output)


@dataclass(frozen=True)
class _Command:
    """A command that some daemon offers; all of it as the daemon has it."""

    target: Target
    service: str
    name: str
    usage: str
    help: str


async def _admin(
    reactor: Any, targets: Sequence[Target], words: Sequence[str], output: Output
) -> None:
    offered: list[_Command] = []
    failed: list[Failed] = []
    for target in targets:
        try:
            await _ask(reactor, target, {"command": "commands"}, _collect(target, offered))
        except Failed as error:
            if len(targets) == 1:
                raise
            failed.append(error)
            output.note(str(error))
    if not words:
        _list(offered, output)
    if failed and not (words and _is_there(offered, words)):
        text = f"{len(failed)} of {len(targets)} daemons could not be asked"
        raise Failed(text, "no-daemon", silent=not words)
    if not words:
        return
    chosen, arguments = choose(offered, words)
    request = {"command": "run", "service": chosen.service, "name": chosen.name}

    def tell(answer: Mapping[str, Any]) -> None:
        result = answer["result"]
        if output.as_json:
            row = {"service": chosen.service, "name": chosen.name, "result": result}
            output.row("ran", peer=chosen.target.peer, **row)
            return
        for line in lines_of(result):
            output.line(line)

    await _ask(reactor, chosen.target, {**request, "arguments": arguments}, tell)


async def _ask(reactor: Any, target: Target, request: Mapping[str, Any], tell: Any) -> None:
    from socketsuite.cli.admin_talk import talk

    await talk(reactor, target, request, tell, refused=_refused)


def _refused(answer: Mapping[str, Any]) -> Exception:
    if answer.get("cause") == "usage":
        return click.UsageError(safe(answer["error"]) + ".")
    return Failed(safe(answer["error"]), "daemon-refused")


def _collect(target: Target, offered: list[_Command]) -> Any:
    def collect(answer: Mapping[str, Any]) -> None:
        for one in answer["commands"]:
            keys = ("service", "name", "usage", "help")
            offered.append(_Command(target, *(str(one[key]) for key in keys)))

    return collect


def _is_there(offered: Sequence[_Command], words: Sequence[str]) -> bool:
    try:
        choose(offered, words)
    except click.UsageError:
        return False
    return True


def choose(offered: Sequence[Any], words: Sequence[str]) -> tuple[Any, list[str]]:
    """Return the command that *words* name, and its arguments.

    :raises click.UsageError: when they name none, or several.
    """
    first, *rest = words
    by_service = [one for one in offered if rest and [one.service, one.name] == [first, rest[0]]]
    found = by_service or [one for one in offered if one.name == first]
    if len(found) == 1:
        return found[0], rest[1:] if by_service else rest
    if by_service:
        sockets = ", ".join(one.target.peer for one in found)
        raise click.UsageError(f"Several daemons have it: say which by --admin: {sockets}.")
    if found:
        services = ", ".join(safe(one.service) for one in found)
        raise click.UsageError(f"Several services have {first!r}: say one first: {services}.")
    if any(one.service == first for one in offered):
        what = f"{first} has no command {rest[0]!r}" if rest else f"say a command of {first}"
        raise click.UsageError(f"{what}; 'socketsuite admin' lists them.")
    raise click.UsageError(f"no service has a command {first!r}; 'socketsuite admin' lists them.")


def _list(offered: Sequence[_Command], output: Output) -> None:
    rows = [(safe(one.service), f"{safe(one.name)} {safe(one.usage)}", one) for one in offered]
    for service, said, one in rows:
        if output.as_json:
            told: Any = {"name": one.name, "usage": one.usage, "help": one.help}
            output.row("command", peer=one.target.peer, service=one.service, **told)
        else:
            wide = max(len(each) for each, _, _ in rows)
            wider = max(len(each.rstrip()) for _, each, _ in rows)
            line = f"{service.ljust(wide)}  {said.rstrip().ljust(wider)}  {safe(one.help)}"
            output.line(line.rstrip())
    if not rows:
        output.note("No service has commands of its own.")


def lines_of(result: Any) -> Iterator[str]:
    """Yield what a command returned as lines for a person, with nothing that a terminal obeys."""
    if result is None:
        return
    if isinstance(result, str):
        yield from map(safe, result.splitlines())
    elif isinstance(result, list):
        yield from map(_word, result)
    elif isinstance(result, dict):
        yield from (f"{safe(key)}={_word(value)}" for key, value in result.items())
    else:
        yield _word(result)


def _word(value: Any) -> str:
    return safe(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
