"""Checks streams one after the other, and says what came of each.

This module must not know how a stream is checked, nor how a difference is found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from socketsuite.cli.output import Output, harmless
from socketsuite.cli.progress import blocking_progress_bar
from socketsuite.cli.terminal import is_capable
from socketsuite.cli.verifying.checking import Check, Verdict
from socketsuite.cli.verifying.index import ReceiptIndex
from socketsuite.cli.verifying.locating import Difference, by_leaves, by_original
from socketsuite.cli.verifying.remainder import check_remainder
from socketsuite.storage.reading import StorageError, StoredStreams
from socketsuite.transport.dial.failed import Failed
from socketsuite.wire.merkle import LEAF

_EVIDENCE = {
    "original": "by the original",
    "leaves": "by the leaves' hashes, which a receipt proves",
    "unproven-leaves": "by the leaves' hashes, which no receipt proves",
    "receipts": "between two receipts; nothing tells more",
}


class Verification:
    """One run of the command.

    :param source: the original of the one stream, if there is one.
    """

    def __init__(
        self, output: Output, stored: StoredStreams, index: ReceiptIndex, source: Path | None
    ) -> None:
        self._output = output
        self._stored = stored
        self._index = index
        self._source = source

    def run(self, streams: Sequence[str]) -> None:
        """Check all of *streams*.

        :raises Failed: when anything does not hold.
        """
        bar: Any = nullcontext(lambda _: None)
        if is_capable(2) and not self._output.as_json:
            bar = blocking_progress_bar(sum(map(self._index.last, streams)))
        bad = 0
        with bar as advanced:
            for stream in streams:
                bad += not self._checked(stream, advanced)
                self._output.totals["streams"] += 1
        for text in self._index.problems.told:
            self._output.complain(text)
        self._tell_signatures()
        if bad:
            what = f"{bad} of {len(streams)} streams do not hold what was acknowledged"
            raise Failed(what if len(streams) > 1 else _ONE, "different")
        if self._index.problems.count:
            count = self._index.problems.count
            raise Failed(f"{count} lines of the receipts are not as they should be", "bad-receipt")

    def _tell_signatures(self) -> None:
        index, note = self._index, self._output.note
        if not index.signed:
            return
        if self._output.totals["pinned"]:
            note(f"{index.signed:,} of {index.receipts:,} receipts are signed by that key")
        else:
            note("the receipts are signed by a key that they bring along; --key pins the server's")

    def _checked(self, stream: str, advanced: Callable[[int], None]) -> bool:
        """Check one stream; return whether everything holds."""
        try:
            reader = self._stored.open(stream)
            if reader.first:
                verdict, found = check_remainder(reader, self._index, stream, advanced)
            else:
                verdict = Check(stream, self._index.acknowledged(stream), advanced).run(reader)
                found = self._located(verdict)
        except StorageError as error:
            verdict, found = Verdict(stream, trouble=str(error)), None
        if self._output.as_json:
            self._row(verdict, found)
        else:
            for line in _sentences(verdict, found):
                self._output.line(harmless(f"{stream}: {line}"))
        return verdict.ok

    def _located(self, verdict: Verdict) -> Difference | None:
        if verdict.differs is None:
            return None
        proven, end = verdict.differs
        stream = verdict.stream
        if self._source is not None:
            (said,) = (one for one in self._index.acknowledged(stream) if one.offset == end)
            reader = self._stored.open(stream)
            found = by_original(reader, self._source, proven, said.hashes, end)
            if found is not None:
                return found
            self._output.note(f"{self._source} is not what was acknowledged, either")
        return by_leaves(self._stored.open(stream), self._index, stream, proven, end)

    def _row(self, verdict: Verdict, found: Difference | None) -> None:
        difference = None
        if found is not None:
            difference = {
                "from": found.start,
                "to": found.end,
                "file": str(found.place.file),
                "at": found.place.at,
                "evidence": found.evidence,
            }
        sentences = _sentences(verdict, found)
        self._output.row(
            "verified",
            error=None if verdict.ok else Failed("; ".join(sentences), "different"),
            stream=verdict.stream,
            ok=verdict.ok,
            receipts=verdict.receipts,
            held=verdict.held,
            proven=verdict.proven,
            bytes=verdict.size,
            missing=verdict.missing,
            gone=verdict.gone,
            difference=difference,
            contradictions=verdict.contradictions,
        )


_ONE = "the file does not hold what was acknowledged"


def _sentences(verdict: Verdict, found: Difference | None) -> list[str]:
    """Return what there is to say of a stream."""
    told = []
    if found is not None:
        told.append(f"{found} ({_EVIDENCE[found.evidence]})")
    if verdict.missing:
        where = "" if verdict.end is None else f", at {verdict.end}"
        told.append(
            f"it ends after {verdict.size:,} bytes{where};"
            f" {verdict.missing:,} more were acknowledged"
        )
    if verdict.trouble is not None:
        told.append(verdict.trouble)
    told += verdict.contradictions
    if verdict.ok:
        beyond = verdict.size - verdict.proven
        rest = f", {beyond:,} behind them are of no receipt" if beyond else ""
        return [f"{verdict.proven:,} bytes are as acknowledged{rest}"]
    if verdict.gone:
        told.append(_remainder(verdict))
    elif verdict.proven:
        told.append(f"the first {verdict.proven:,} bytes are as acknowledged")
    return told


def _remainder(verdict: Verdict) -> str:
    gone = f"the first {verdict.gone:,} bytes are in no file any more"
    start = -(-verdict.gone // LEAF) * LEAF
    if verdict.proven <= start:
        return f"{gone}, so no receipt proves anything of the rest"
    return (
        f"{gone}; bytes {start:,} to {verdict.proven - 1:,} are as acknowledged"
        f" ({_EVIDENCE['leaves']})"
    )
