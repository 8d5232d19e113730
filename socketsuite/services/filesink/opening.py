"""Opens what a sink needs of its folder: the journal, recovered, and who looks after closed files.

All of this blocks.  This module must not know frontends, nor how a sink runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from socketsuite.services.filesink.options import Options
from socketsuite.storage.beneath import Folder
from socketsuite.storage.finished import FinishedFiles
from socketsuite.storage.in_use import InUse
from socketsuite.storage.numbered import NumberedFiles
from socketsuite.storage.recovery import Recovery, boot_id, has_journal, recover
from socketsuite.storage.template_match import TemplateMatch
from socketsuite.storage.upkeep import Upkeep


class Opened(NamedTuple):
    """What a sink begins with.

    :ivar found: what the journal said; ``None`` when there is none.
    :ivar boot: what tells this run of the machine from the next.
    """

    folder: Folder
    upkeep: Upkeep
    found: Recovery | None
    boot: str


def open_folder(
    sink: Options,
    base: Path,
    name: str,
    in_use: InUse,
    tell: Callable[[object, str], object],
    gone: Callable[[str], object],
) -> Opened:
    """Open the folder *base*; *name* is of its only file, or empty.

    :param in_use: names that are written to.
    :param tell: is told what an operator should know, with its level.
    :param gone: is told of each file that was removed.
    :raises OSError: when something cannot be opened.
    """
    folder, boot = Folder(base), boot_id()
    template = TemplateMatch(sink.template)
    journal = journal_name(name)
    found = None
    if sink.acknowledges or has_journal(folder, journal):
        numbers = NumberedFiles(folder, template)
        is_closed: Callable[[str], bool] = numbers.is_closed
        if "connection" in template.fields:
            is_closed = _always  # no connection has the name of an earlier one
        found = recover(folder, journal, boot, time.time(), is_closed, numbers.close)
    finished = None if name else FinishedFiles(folder, template, in_use)
    upkeep = Upkeep(folder, sink.compress, sink.keep, sink.quota, tell, gone, finished)
    # Only now: recovery looks for files by what they are, and they are compressed to others.
    upkeep.start(name)
    return Opened(folder, upkeep, found, boot)


def journal_name(name: str) -> str:
    """Return the name of the journal beside the only file *name*, or beneath a folder."""
    return f"{name}~journal"


def _always(name: str) -> bool:
    return True
