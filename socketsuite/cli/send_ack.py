"""``socketsuite send --ack``: which files go to which streams, and what came of it.

This module must not know of the protocol.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from socketsuite.cli.output import Output
from socketsuite.cli.progress import progress_bar
from socketsuite.cli.run import run
from socketsuite.cli.sending.receipts_file import ReceiptsFile
from socketsuite.cli.sending.run import Item, Options, Run
from socketsuite.cli.sending.sources import FileSource, PipeSource, files_beneath
from socketsuite.cli.sending.transfer import Tally
from socketsuite.cli.terminal import is_capable
from socketsuite.transport.dial.failed import Failed, os_cause
from socketsuite.transport.dial.target import Target
from socketsuite.wire.stream_ids import BadIdError, check_id


class _Files:
    """What the words of a command line stand for.

    :ivar unreadable: what was found to be no file that can be sent, while looking.
    """

    def __init__(self, words: Sequence[str], stream: str | None) -> None:
        self._words = words
        self._streams = [_stream_of(word, stream) for word in words]
        self._modes = [_mode_of(word) for word in words]
        for number, one in enumerate(self._streams):
            if one in self._streams[:number]:
                raise click.UsageError(f"{words[number]} and another FILE would both be {one}.")

    @property
    def pipes(self) -> list[str]:
        """The streams of what has no name of its own."""
        return [one for one, word in zip(self._streams, self._words, strict=True) if word == "-"]

    @property
    def is_folder(self) -> bool:
        return any(stat.S_ISDIR(mode) for mode in self._modes)

    def total(self) -> int | None:
        """Return how many bytes all of it is, if that can be told."""
        total = 0
        for word, mode in zip(self._words, self._modes, strict=True):
            if stat.S_ISREG(mode):
                total += os.stat(word).st_size
            elif stat.S_ISDIR(mode):
                total += sum(_size(path) for _, path in files_beneath(word, lambda _: None))
            else:
                return None
        return total

    def items(self, skipped: Callable[[str], None]) -> Iterator[Item]:
        for word, stream, mode in zip(self._words, self._streams, self._modes, strict=True):
            if stat.S_ISDIR(mode):
                for relative, path in files_beneath(word, skipped):
                    source = FileSource(path, path, follow=False)
                    yield _item(source, f"{stream}/{relative}")
            elif stat.S_ISREG(mode):
                yield _item(FileSource(word, word, follow=True), stream)
            elif word == "-":
                yield _item(PipeSource("standard input", 0), stream)
            else:
                yield _item(PipeSource(word, os.open(word, os.O_RDONLY | os.O_CLOEXEC)), stream)


def _item(source: FileSource | PipeSource, stream: str) -> Item:
    try:
        return Item(source, check_id(stream))
    except BadIdError as error:
        return Item(source, ascii(stream), Failed(f"its name is no stream's: {error}", "input"))


def _stream_of(word: str, stream: str | None) -> str:
    if stream is not None:
        return stream
    if word == "-":
        return f"stdin-{secrets.token_hex(8)}"
    return os.path.basename(os.path.abspath(word)) or "root"


def _mode_of(word: str) -> int:
    try:
        mode = os.fstat(0).st_mode if word == "-" else os.stat(word).st_mode
        if not os.access(word, os.R_OK) and word != "-":
            raise PermissionError(13, os.strerror(13))
    except OSError as error:
        raise click.UsageError(f"cannot read {word}: {os_cause(error)}.") from None
    return mode if word != "-" or not stat.S_ISREG(mode) else stat.S_IFIFO


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


def send_acknowledged(
    output: Output,
    target: Target,
    words: Sequence[str],
    *,
    stream: str | None,
    receipts: Path | None,
    parallel: int,
    append: bool,
    retry_for: float,
) -> None:
    """Send the files that *words* name.

    :param output: whose totals are all there, and are kept up.
    :raises click.UsageError: when that makes no sense.
    :raises Failed: when not everything is durable.
    """
    if (stream is not None or append) and len(words) != 1:
        raise click.UsageError(f"--{'append' if append else 'stream'} wants one FILE.")
    if stream is not None:
        try:
            check_id(stream)
        except BadIdError as error:
            raise click.UsageError(f"--stream: {error}.") from None
    files = _Files(words, stream)
    if append and files.is_folder:
        raise click.UsageError("--append wants one FILE, and no folder.")
    if stream is None:
        for one in files.pipes:
            output.note(f"standard input is sent as stream {one}")
    options = Options(parallel, retry_for, append)
    kept = None if receipts is None else ReceiptsFile(receipts)
    try:
        _run(output, target, files, options, kept)
    finally:
        if kept is not None:
            kept.close()
    output.totals["ok"] = True


def _run(
    output: Output, target: Target, files: _Files, options: Options, receipts: ReceiptsFile | None
) -> None:
    show = is_capable(2) and not output.as_json
    total = files.total() if show else None
    skipped: list[str] = []

    async def work(reactor: Any) -> None:
        say = output.note

        def tell(text: str) -> None:
            say(text)

        def skip(text: str) -> None:
            if text.startswith("cannot read"):
                skipped.append(text)
            tell(text)

        sending = Run(reactor, target, files.items(skip), options, output, receipts, tell)
        bar: Any = nullcontext(output.note)
        if show:
            bar = _bar(reactor, sending.tally, total)
        began = reactor.seconds()
        try:
            with bar as say:
                await sending.all()
        finally:
            tally = sending.tally
            output.totals |= {"sent": tally.sent, "acked": tally.acked, "resumed": tally.resumed}
        _judge(sending, skipped, output, reactor.seconds() - began)

    run(work, output)


def _bar(reactor: Any, tally: Tally, total: int | None) -> Any:
    """Return a bar of what is new to the server: what it had would be a rate too good."""
    return progress_bar(
        reactor,
        lambda: tally.acked - tally.skipped,
        lambda: None if total is None else total - tally.skipped,
    )


def _judge(sending: Run, skipped: Sequence[str], output: Output, seconds: float) -> None:
    tally = sending.tally
    fresh = tally.acked - tally.skipped
    rate = fresh / seconds if seconds else 0.0
    had = f", {tally.skipped:,} were there before" if tally.skipped else ""
    output.note(f"{fresh:,} bytes are durable after {seconds:.2f} s ({rate / 1e6:.1f} MB/s){had}")
    failures = sending.failures + [Failed(text, "input") for text in skipped]
    if len(failures) == 1 and sending.done == 1:
        raise Failed(str(failures[0]), failures[0].code, silent=True)
    if failures:
        raise Failed(f"{len(failures)} of {sending.done:,} not sent", failures[0].code)
