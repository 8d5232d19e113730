"""Manual pages, from the declarations: ``python -m tools.manual FOLDER``.

``man socketsuite connect`` and ``man twistd socketsuite-chat`` find theirs.  The language is that
of man(7); a page has no date, so that it changes with what it says only.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from socketsuite.daemon.config.flags import ServiceCommand
from socketsuite.settings import environment_prefix
from tools.commands import Command, Option, clients, daemons

_STATUSES = [
    ("0", "it ended as it should"),
    ("1", "this machine refuses something: a port in use, a file that cannot be read"),
    ("2", "a flag, a variable or the file is wrong"),
]


def roff(text: str) -> str:
    """Return *text* so that roff prints it as it is."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^(?=[.'])", r"\\&", text, flags=re.M)


def page(name: str, summary: str, sections: Iterable[tuple[str, Iterable[str]]]) -> str:
    """Return a page of section 1; the lines of each section are roff already."""
    lines = ['.\\" Written by `make docs` from the declarations in the code.']
    lines += [f'.TH {roff(name.upper())} 1 "" socketsuite']
    lines += [".SH NAME", f"{roff(name)} \\- {roff(summary)}"]
    for title, body in sections:
        lines += [f".SH {title}", *body]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> Iterator[str]:
    """Yield prose; a paragraph that begins with \\b keeps its lines, as in click."""
    for index, block in enumerate(re.split(r"\n\s*\n", text.strip())):
        lines = [line.strip() for line in block.splitlines()]
        if index:
            yield ".PP"
        if lines[0] == "\b":
            yield from [".nf", *(roff(line) for line in lines[1:]), ".fi"]
        else:
            yield roff(" ".join(lines))


def _option(option: Option) -> Iterator[str]:
    flags = ", ".join(f"\\fB{roff(flag)}\\fR" for flag in option.flags)
    yield ".TP"
    yield f"{flags} \\fI{roff(option.metavar)}\\fR" if option.metavar else flags
    yield roff(" ".join(option.help.split()))


def _listed(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, meaning in rows:
        yield from [".TP", f"\\fB{roff(term)}\\fR", roff(meaning)]


def _synopsis(program: str, command: Command) -> Iterator[str]:
    words = " ".join(command.declared.collect_usage_pieces(command.context))
    yield f"\\fB{roff(program)} {roff(command.name)}\\fR {roff(words)}"


def client_page(command: Command) -> str:
    """Return the page of one command of ``socketsuite``."""
    examples, _, statuses = (command.declared.epilog or "").partition("Exit status:")
    shown = [line.strip() for line in examples.splitlines() if line.startswith("  ")]
    told = [tuple(line.split(None, 1)) for line in statuses.splitlines() if line.strip()]
    return page(
        f"socketsuite-{command.name}",
        command.summary,
        [
            ("SYNOPSIS", _synopsis("socketsuite", command)),
            ("DESCRIPTION", _paragraphs(command.declared.help or "")),
            ("OPTIONS", (line for one in command.options for line in _option(one))),
            ("EXAMPLES", [".nf", *map(roff, shown), ".fi"]),
            ("EXIT STATUS", _listed((one[0], one[-1]) for one in told)),
            ("SEE ALSO", [".BR socketsuite (1)"]),
        ],
    )


def overview(commands: Sequence[Command], services: Sequence[Command]) -> str:
    """Return the page of ``socketsuite`` itself, which leads to all the others."""
    others = [f"socketsuite-{one.name}" for one in commands]
    others += [f"twistd-{one.name}" for one in services]
    return page(
        "socketsuite",
        "clients for the suite's daemons, and for any other server",
        [
            ("SYNOPSIS", ["\\fBsocketsuite\\fR COMMAND [OPTIONS] [ARGUMENTS]"]),
            ("COMMANDS", _listed((one.name, one.summary) for one in commands)),
            ("DAEMONS", _listed((f"twistd -n {one.name}", one.summary) for one in services)),
            ("SEE ALSO", _references(others)),
        ],
    )


def _references(names: Sequence[str]) -> Iterator[str]:
    for name in names:
        yield f".BR {roff(name)} (1){',' if name != names[-1] else ''}"


def daemon_page(command: Command) -> str:
    """Return the page of one command of ``twistd``."""
    found, options = command.declared, {one.flags[0]: one for one in command.options}
    body: list[str] = []
    for group in found.groups if isinstance(found, ServiceCommand) else ():
        body.append(f".SS {roff(group.title)}")
        for item in group.settings:
            body += _option(options.pop(item.flag))
    body += [".SS General", *(line for one in options.values() for line in _option(one))]
    prefix = environment_prefix(command.name)
    variables = [(f"{prefix}_ADMIN, {prefix}_...", "what the flag of that name says")]
    return page(
        f"twistd-{command.name}",
        command.summary,
        [
            ("SYNOPSIS", _synopsis("twistd -n", command)),
            ("DESCRIPTION", _paragraphs(f"{found.help}\n\n{found.epilog or ''}")),
            ("OPTIONS", body),
            ("ENVIRONMENT", _listed(variables)),
            ("EXIT STATUS", _listed(_STATUSES)),
            ("SEE ALSO", [".BR socketsuite (1)"]),
        ],
    )


def manual() -> dict[str, str]:
    """Return every page by its file's name."""
    commands, services = clients(), daemons()
    return {
        "socketsuite.1": overview(commands, services),
        **{f"socketsuite-{one.name}.1": client_page(one) for one in commands},
        **{f"twistd-{one.name}.1": daemon_page(one) for one in services},
    }


def main(folder: Path) -> None:
    """Write every page into *folder*."""
    folder.mkdir(exist_ok=True)
    for name, text in manual().items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
