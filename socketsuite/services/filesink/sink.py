"""The file sink: what senders leave is in files, and kept as ``--sync`` says.

The service's object, which both frontends share: raw bytes or framed records
(:mod:`~socketsuite.services.filesink.raw`), and streams with acknowledgements
(:mod:`~socketsuite.services.filesink.ack`).  docs/filesink.md has what each mode promises.  This
module must not know any frontend's protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from socketsuite.contract import AdminCommand, LogEvents, ignore_events
from socketsuite.figures import Figure
from socketsuite.services.filesink import claims, paths
from socketsuite.services.filesink.keeper import Keeper
from socketsuite.services.filesink.signing import Signer, load_signer
from socketsuite.settings import SettingsError, byte_size, setting
from socketsuite.storage.names import ConnectionNames, Template
from socketsuite.storage.segment_reading import Compression
from socketsuite.storage.setup import Sync
from socketsuite.wire.headed_records import HeadedRecords
from socketsuite.wire.records import RecordFramer, new_framer

_EXPIRE_EVERY = 60.0


def template(text: Any) -> str:
    """Return a path with placeholders, as it is.

    :raises ValueError: with the cure, where no file can be named so.
    """
    if not isinstance(text, str | Path):
        raise ValueError("a path")
    Template(str(text))
    return str(text)


@dataclass(eq=False)
class FileSink:
    """The service's object; each frontend's factory is made with it.

    :param reactor: the clock of timers, and where threads come back to.
    :param emit: logs what an operator should know.
    :ivar acknowledges: set by the frontend that does, before the start: a journal is kept then.
    """

    reactor: Any
    emit: LogEvents = ignore_events
    file: str = setting(
        help="the file to append to; {date}, {peer}, {connection}, {stream} and {seq} make many",
        metavar="PATH",
        parse=template,
    )
    framing: Literal["raw", "lines", "length"] = setting(
        "raw", "what is kept whole: nothing, lines, or records behind a u32 big-endian length"
    )
    max_record: int = setting(
        1 << 16, "bytes of the longest record", parse=byte_size, metavar="BYTES", show="64K"
    )
    overlong: Literal["drop", "cut"] = setting("drop", "what becomes of a longer record")
    record_header: bool = setting(False, "put a line with time and sender in front of each record")
    sync: Sync = setting(
        "always",
        "when what was written is synced to disk: before it is confirmed, now and then, or never",
    )
    sync_interval: float = setting(
        1.0, "seconds between two syncs, with --sync interval", minimum=0.01, unit="seconds"
    )
    rotate_size: int = setting(
        0,
        "begin another file when one has so many bytes; 0 is never",
        parse=byte_size,
        metavar="BYTES",
    )
    rotate_every: float = setting(
        0.0,
        "begin another file each so many seconds (1d, 1h), counted in UTC; 0 is never",
        minimum=0,
        unit="seconds",
    )
    rotate_on_reload: bool = setting(True, "begin another file on SIGHUP", reload=True)
    compress: Compression = setting("none", "compress files that are closed")
    keep: int = setting(0, "closed files kept of each name; 0 is all", minimum=0)
    quota: int = setting(
        0,
        "bytes that all files may have together; the oldest that are over go; 0 is no limit",
        parse=byte_size,
        metavar="BYTES",
    )
    max_open_files: int = setting(256, "files that are open at a time", minimum=1, maximum=100_000)
    max_streams: int = setting(10_000, "streams that are known at a time", minimum=1)
    stream_expiry: float = setting(
        30 * 86400.0,
        "how long a stream that nobody sends is known; 0 is for ever",
        minimum=0,
        unit="seconds",
        show="30d",
    )
    sign_key: Path | None = setting(
        None, "sign receipts with this Ed25519 key, in PEM", metavar="FILE"
    )

    def __post_init__(self) -> None:
        self.acknowledges = False
        self.template = Template(self.file)
        self.connection_names = ConnectionNames()
        self.signer: Signer | None = load_signer(self.sign_key) if self.sign_key else None
        if self.record_header and self.framing == "raw":
            raise SettingsError(
                "--record-header needs records: say --framing lines or --framing length"
            )
        self.keeper = Keeper(self, self.reactor, self.emit)
        self._ticks: list[LoopingCall] = []

    def new_framer(self) -> RecordFramer:
        """Return a framer for one sender."""
        return new_framer(self.framing, self.max_record, self.overlong)

    def new_framer_of_files(self) -> RecordFramer | HeadedRecords:
        """Return what knows records as they are in files."""
        framer = self.new_framer()
        return HeadedRecords(framer) if self.record_header else framer

    # ── the daemon's side ───────────────────────────────────────────────────────────

    def check_start(self) -> None:
        """See that files could be appended to; one that is not there is not made.

        :raises SettingsError: when they could not.
        """
        self._check(create=False)

    def _check(self, *, create: bool) -> bool:
        """See that files can be appended to, and that they are no other sink's."""
        device = paths.check(self.template, create=create)
        if not device:
            claims.claim(self.reactor, self, self.template)
        return device

    def start_service(self) -> Deferred[None]:
        """Open what is needed; after a crash, put it in order first.

        :return: fails with ``SettingsError`` when that cannot be done.
        """
        started = self.keeper.start(self._check(create=True))
        started.addCallback(lambda _: self._start_ticks())
        return started

    def _start_ticks(self) -> None:
        if self.sync == "interval":
            self._every(self.sync_interval, self.keeper.store.sync)
        if self.acknowledges and self.stream_expiry:
            expire = partial(self.keeper.registry.expire, self.stream_expiry)
            self._every(min(_EXPIRE_EVERY, self.stream_expiry), expire)

    def _every(self, seconds: float, work: Callable[[], object]) -> None:
        tick = LoopingCall(work)
        tick.clock = self.reactor
        tick.start(seconds, now=False)
        self._ticks.append(tick)

    def stop_service(self) -> Deferred[None]:
        """Write what waits, sync and close everything."""
        for tick in self._ticks:
            tick.stop()
        claims.let_go(self.reactor, self)
        return self.keeper.stop()

    def reload_service(self) -> None:
        """Begin other files; of streams with files of their own only where they are rotated at all.

        Files that failed are begun anew.
        """
        whole = "stream" in self.template.fields and not (self.rotate_size or self.rotate_every)
        self.keeper.reload(self.rotate_on_reload and not whole)

    def metrics(self) -> list[Figure]:
        """Return what an operator may watch."""
        return self.keeper.figures()

    def health(self) -> Mapping[str, bool | str | None]:
        """Return what is wrong with files and journal."""
        return self.keeper.health()

    def admin_commands(self) -> Mapping[str, AdminCommand | Callable[..., Any]]:
        """Return what an operator may have done."""
        return {
            "rotate": AdminCommand(self.keeper.rotate, "close every open file, and begin another"),
            "streams": AdminCommand(self.keeper.registry.listed, "show streams, last used first"),
        }
