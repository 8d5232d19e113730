"""Fuzzes one target for as long as it is told, or runs it with one input that was found.

Run from the project's folder: ``python -m tests.fuzz.one TARGET FILE`` shows what that input does;
``--runs N`` fuzzes, guided by coverage, which needs atheris.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.mutate import LONGEST, mutated

NO_ATHERIS = "make fuzz needs atheris, for which there is no package for this Python or machine"


def reproduce(name: str, file: Path) -> None:
    """Run the target with what stands in *file*; what it raises is raised."""
    from tests.fuzz.targets import TARGETS

    data = file.read_bytes()
    print(f"{name}: {len(data)} bytes: {data!r}")
    TARGETS[name].run(data)
    print("nothing is wrong with that any more")


def fuzz(name: str, runs: int, seconds: int, kept: Path, found: Path, seed: int) -> None:
    """Fuzz the target; does not return.

    :param kept: the folder of what reaches new code, which another time begins with.
    :param found: the folder of what raises.
    """
    try:
        # Its compiled part is missing where there is no package for the machine.
        atheris: Any = importlib.import_module("atheris")
    except ImportError:
        sys.exit(NO_ATHERIS)
    with atheris.instrument_imports(include=["socketsuite"]):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    seeds, words = target.seeds(), list(dict.fromkeys(target.words()))
    for number, one in enumerate(seeds):
        (kept / f"seed-{number:04}").write_bytes(one)

    def mutate(data: bytes, most: int, number: int) -> bytes:
        if number % 2:
            return bytes(atheris.Mutate(data, most))
        dice = Random(number)
        return mutated(data, words, dice, dice.choice(seeds))[:most]

    with tempfile.NamedTemporaryFile("w", suffix=".dict") as dictionary:
        dictionary.writelines(f'"{_escaped(word)}"\n' for word in words if word)
        dictionary.flush()
        options = {
            "runs": runs,
            "max_total_time": seconds,
            "max_len": LONGEST,
            "timeout": 20,
            "rss_limit_mb": 1024,
            "seed": seed,
            "dict": dictionary.name,
            "artifact_prefix": f"{found}/{name}-",
            "print_final_stats": 1,
            "verbosity": 1,
        }
        arguments = [f"-{key}={value}" for key, value in options.items()]
        atheris.Setup([sys.argv[0], *arguments, str(kept)], target.run, custom_mutator=mutate)
        atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def main() -> None:
    """Read the command line, and do it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("target")
    parser.add_argument("file", type=Path, nargs="?", help="run this input alone")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kept", type=Path, default=Path("build/fuzz/kept"))
    parser.add_argument("--found", type=Path, default=Path("build/fuzz/found"))
    options = parser.parse_args()
    if options.file is not None:
        reproduce(options.target, options.file)
        return
    kept = options.kept / options.target
    for folder in (kept, options.found):
        folder.mkdir(parents=True, exist_ok=True)
    fuzz(options.target, options.runs, options.seconds, kept, options.found, options.seed)


if __name__ == "__main__":
    main()
