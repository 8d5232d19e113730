"""Completions for bash, fish and zsh: ``python -m tools.completions FOLDER``.

Whole scripts, from the declarations, so that no Python starts at each press of Tab.  zsh has a
completion of its own for ``twistd``, which is left alone.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.commands import Command, Option, clients, daemons

_HEAD = "Completion of {program} for {shell}.  Written by `make docs`; change the declarations."

_BASH = """\
# {head}
{function}() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
    local command= one words=
    COMPREPLY=()
    # bash cuts --flag=value into three words.
    if [[ $word == = ]]; then
        word=
    elif [[ $before == = ]]; then
        before=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi
    for one in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case $one in
            {names}) command=$one && break ;;
        esac
    done
    case $command,$before in
{values}
    esac
    case $command in
{flags}
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    [[ $word == -* ]] || compopt -o default 2> /dev/null
}}
complete -F {function} {program}
"""


def bash(program: str, commands: Sequence[Command]) -> str:
    """Return the completion of *program* for bash."""
    names = [command.name for command in commands]
    values: list[str] = []
    flags = [f"        '') words={shlex.quote(' '.join([*names, '--help']))} ;;"]
    for command in commands:
        options = command.options
        words = " ".join(flag for option in options for flag in option.flags)
        flags.append(f"        {command.name}) words={shlex.quote(words)} ;;")
        values += _bash_values(command.name, options)
    return _BASH.format(
        head=_HEAD.format(program=program, shell="bash"),
        function=f"_socketsuite_{program}",
        program=program,
        names=" | ".join(names),
        values="\n".join(values),
        flags="\n".join(flags),
    )


def _bash_values(command: str, options: Sequence[Option]) -> Iterator[str]:
    def cases(some: Sequence[Option], action: str) -> Iterator[str]:
        patterns = [f"{command},{flag}" for one in some for flag in one.flags]
        if patterns:
            yield f"        {' | '.join(patterns)}) {action}return ;;"

    files = "compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f"
    yield from cases([one for one in options if one.value == "text"], "")
    yield from cases([one for one in options if one.value == "file"], f'{files} -- "$word"); ')
    for option in options:
        if option.value == "words":
            words = f"compgen -W {shlex.quote(' '.join(option.words))}"
            yield from cases([option], f'mapfile -t COMPREPLY < <({words} -- "$word"); ')


def fish(program: str, commands: Sequence[Command]) -> str:
    """Return the completion of *program* for fish."""
    return "\n".join(
        [f"# {_HEAD.format(program=program, shell='fish')}", *_fish(program, commands)]
    )


def _fish(program: str, commands: Sequence[Command]) -> Iterator[str]:
    for command in commands:
        first = f"complete -c {program} -n __fish_use_subcommand -f"
        yield f"{first} -a {command.name} -d {_fish_quoted(command.summary)}"
    for command in commands:
        seen = f"complete -c {program} -n '__fish_seen_subcommand_from {command.name}'"
        for option in command.options:
            flags = " ".join(
                f"-l {one[2:]}" if one.startswith("--") else f"-s {one[1:]}" for one in option.flags
            )
            words = _fish_quoted(" ".join(option.words))
            values = {"none": "", "file": " -r -F", "text": " -x", "words": f" -x -a {words}"}
            yield f"{seen} {flags}{values[option.value]} -d {_fish_quoted(option.help)}"
    yield ""


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_ZSH = """\
#compdef {program}
# {head}
_{program}() {{
    local curcontext="$curcontext" context state line
    typeset -A opt_args
    _arguments -C '(- *)'{{-h,--help}}'[show help]' '1:command:->command' '*::argument:->argument'
    case $state in
        command)
            local -a commands=(
{commands}
            )
            _describe command commands
            ;;
        argument)
            case $line[1] in
{cases}
            esac
            ;;
    esac
}}
_{program} "$@"
"""


def zsh(program: str, commands: Sequence[Command]) -> str:
    """Return the completion of *program* for zsh."""
    indent = " " * 16
    listed = [shlex.quote(f"{one.name}:{one.summary}") for one in commands]
    cases = []
    for command in commands:
        specs = [_zsh_option(flag, one) for one in command.options for flag in one.flags]
        parts = f" \\\n{indent}    ".join([*specs, "'*:argument:_default'"])
        cases.append(f"{indent}{command.name}) _arguments {parts} ;;")
    return _ZSH.format(
        program=program,
        head=_HEAD.format(program=program, shell="zsh"),
        commands="\n".join(f"{indent}{one}" for one in listed),
        cases="\n".join(cases),
    )


def _zsh_option(flag: str, option: Option) -> str:
    text = option.help
    for character in "\\[]:":
        text = text.replace(character, f"\\{character}")
    label = option.metavar.replace(":", "")
    values = {
        "none": "",
        "file": f":{label}:_files",
        "text": f":{label}: ",
        "words": f":{label}:({' '.join(option.words)})",
    }
    return shlex.quote(f"*{flag}[{text}]{values[option.value]}")


def completions() -> dict[str, str]:
    """Return every file by its path: a folder for each shell."""
    ours, theirs = clients(), daemons()
    return {
        "bash/socketsuite": bash("socketsuite", ours),
        "bash/twistd": bash("twistd", theirs),
        "fish/socketsuite.fish": fish("socketsuite", ours),
        "fish/twistd.fish": fish("twistd", theirs),
        "zsh/_socketsuite": zsh("socketsuite", ours),
    }


def main(folder: Path) -> None:
    """Write every file below *folder*."""
    for name, text in completions().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
