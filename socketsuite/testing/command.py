"""The command line of the conformance kit: which kits, which checks, and one line for each.

Must not know how a check works.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import ModuleType

from socketsuite.testing.checks.base import Check
from socketsuite.testing.kit import Conformance
from socketsuite.testing.replies import NonConformance

_EPILOG = """\
TARGET is an installed twistd command (then what follows it is passed on to the daemon, and the
checks are those that need no knowledge of its protocol), a Python file, or module:name or
file.py:name, where Conformance objects are.

exit status: 0 every check that applies is ok, 1 one has failed, 2 there is no such thing
"""


class UsageError(Exception):
    """What was said wrongly, in one line with the cure."""


@dataclass(frozen=True)
class Result:
    """What came of one check.

    :ivar outcome: ``ok``, ``failed`` or ``not applicable``.
    :ivar seconds: how long it took.
    :ivar why: in one line, unless it is ok.
    :ivar shortest: the shortest failing input, as Python writes bytes.
    """

    service: str
    check: str
    outcome: str
    seconds: float = 0.0
    why: str = ""
    seed: int | None = None
    shortest: str | None = None

    def __str__(self) -> str:
        line = f"{self.service} {self.check}: "
        if self.outcome == "ok":
            return f"{line}ok ({self.seconds:.1f} s)"
        word = "FAILED" if self.outcome == "failed" else self.outcome
        return f"{line}{word}: {self.why}"


def main(arguments: Sequence[str]) -> int:
    """Run the checks that *arguments* ask for, and return the exit status."""
    parser = _parser()
    said, further = parser.parse_known_args(arguments)
    try:
        kits = [_as_asked(kit, said) for kit in find_kits(said.target, further)]
        chosen = [(kit, _chosen(kit, said.only)) for kit in kits]
        if said.list:
            _list(chosen, as_json=said.json)
            return 0
        for kit in kits:
            _try_to_start(kit)
    except UsageError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    try:
        return _run_all(chosen, as_json=said.json)
    except KeyboardInterrupt:
        return 130


def _run_all(chosen: Sequence[tuple[Conformance, Sequence[Check]]], *, as_json: bool) -> int:
    results = []
    for _, checks in chosen:
        for result in run(checks):
            print(json.dumps(asdict(result)) if as_json else result, flush=True)
            results.append(result)
    return int(any(result.outcome == "failed" for result in results))


def run(checks: Sequence[Check]) -> Iterator[Result]:
    """Run *checks*, each in a folder of its own, and yield what came of each as it ends."""
    for check in checks:
        service, name = check.kit.name, check.name
        if check.lacks:
            yield Result(service, name, "not applicable", why=check.lacks)
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
            try:
                check.run(Path(folder))
            except NonConformance as error:
                took = round(time.monotonic() - began, 3)
                found = None if error.shortest is None else repr(error.shortest)
                yield Result(service, name, "failed", took, str(error), error.seed, found)
            else:
                yield Result(service, name, "ok", round(time.monotonic() - began, 3))


def find_kits(target: str, further: Sequence[str] = ()) -> list[Conformance]:
    """Return the kits that *target* names; see the command's ``--help``.

    :raises UsageError: when there are none.
    """
    place, _, name = target.partition(":")
    if not place.endswith(".py") and not name:
        return [Conformance(target, tuple(further))]
    if further:
        raise UsageError(f"unknown option {further[0]}; a kit says its service's args= itself")
    module = _load(place)
    if name:
        kit = getattr(module, name, None)
        if not isinstance(kit, Conformance):
            raise UsageError(f"{place} has no Conformance called {name!r}")
        return [kit]
    kits = [one for one in vars(module).values() if isinstance(one, Conformance)]
    if not kits:
        raise UsageError(f"{place} holds no Conformance; write kit = Conformance(…)")
    return kits


def _load(place: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        spec = importlib.util.spec_from_file_location(Path(place).stem, place)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        # Where dataclasses and others look a module up while it is made.
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    except (ImportError, OSError, SyntaxError) as error:
        raise UsageError(f"cannot load {place}: {error}") from None
    return module


def _as_asked(kit: Conformance, said: argparse.Namespace) -> Conformance:
    scale = 1.0 if said.full else kit.scale
    return replace(kit, scale=scale, seed=kit.seed if said.seed is None else said.seed)


def _chosen(kit: Conformance, only: str | None) -> list[Check]:
    every = kit.all_checks()
    if only is None:
        return every
    names = [name.strip() for name in only.split(",")]
    known = [check.name for check in every]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            cure = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
            raise UsageError(f"no check is called {name!r}; {cure}")
    return [check for check in every if check.name in names]


def _list(chosen: Sequence[tuple[Conformance, Sequence[Check]]], *, as_json: bool) -> None:
    for kit, checks in chosen:
        for check in checks:
            summary = (type(check).__doc__ or "").partition("\n")[0]
            if as_json:
                told = {"service": kit.name, "check": check.name, "lacks": check.lacks}
                print(json.dumps({**told, "proves": summary}))
            else:
                why = f" (not applicable: {check.lacks})" if check.lacks else ""
                print(f"{kit.name} {check.name}{why}: {summary}")


def _try_to_start(kit: Conformance) -> None:
    """Find out once whether there is such a service, and it takes its arguments."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        try:
            kit.start(Path(folder)).kill()
        except NonConformance as error:
            raise UsageError(f"{kit.name} {error}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m socketsuite.testing",
        allow_abbrev=False,  # what is not known here is the daemon's
        description="Run the conformance checks on a service, each with a real process.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", metavar="TARGET", help="a twistd command, or where its kit is")
    parser.add_argument("--only", metavar="CHECK,…", help="run these checks alone")
    parser.add_argument("--list", action="store_true", help="show the checks, and run none")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--full", action="store_true", help="the whole of each check (scale=1)")
    parser.add_argument("--seed", type=int, metavar="N", help="of the wrong inputs")
    return parser
