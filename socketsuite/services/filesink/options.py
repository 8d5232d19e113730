"""What the keeper of a sink's files obeys, of the sink's settings.

This module must not know where settings come from.
"""

from __future__ import annotations

from typing import Protocol

from socketsuite.storage.names import Template
from socketsuite.storage.segment_reading import Compression
from socketsuite.storage.setup import Sync
from socketsuite.wire.headed_records import HeadedRecords
from socketsuite.wire.records import RecordFramer


class Options(Protocol):
    """What a keeper obeys: the sink's settings."""

    acknowledges: bool
    file: str
    template: Template
    sync: Sync
    rotate_size: int
    rotate_every: float
    compress: Compression
    keep: int
    quota: int
    max_open_files: int
    max_streams: int
    max_record: int

    def new_framer(self) -> RecordFramer:
        """Return a framer for one sender."""
        ...

    def new_framer_of_files(self) -> RecordFramer | HeadedRecords:
        """Return what knows records as they are in files."""
        ...
