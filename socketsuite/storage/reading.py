"""Reads the bytes of one stream, in their order, out of the files that hold it.

This module must not know what is done with the bytes, nor how files come to be.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from socketsuite.storage.beneath import Folder
from socketsuite.storage.extents import StreamDataError
from socketsuite.storage.names import Template, encode_path
from socketsuite.storage.segment_reading import open_segment
from socketsuite.storage.segments import list_segments
from socketsuite.storage.stream_map import StreamMap, StreamMaps
from socketsuite.storage.template_files import files_of, unordered

_READ = 1 << 18


class StorageError(Exception):
    """What is stored cannot be read; the text says what and why."""


class StreamReader:
    """The bytes of a stream, from the first that is still in a file.

    :param files: that hold it, one after the other; or *known* says where it lies.
    :ivar first: the offset of that byte; what was before it is deleted.
    """

    def __init__(self, files: list[Path], known: StreamMap | None = None) -> None:
        self._files = files
        self._known = known
        self.first = 0 if known is None else known.first

    def chunks(self) -> Iterator[tuple[bytes, Path, int]]:
        """Yield bytes, the file that they lie in, and at which offset of its uncompressed content.

        :raises StorageError: where a file cannot be read any further.
        """
        if self._known is not None:
            try:
                yield from self._known.chunks()
            except (StreamDataError, OSError) as error:
                raise StorageError(str(error)) from None
        for path in self._files:
            at = 0
            try:
                with open_segment(path) as file:
                    while data := file.read1(_READ):
                        yield data, path, at
                        at += len(data)
            except OSError as error:
                raise StorageError(f"{path} cannot be read: {error.strerror}") from None


class StoredStreams:
    """The streams in a file, or in a folder.

    Where a journal beside it knows a stream, that says where its bytes are.

    :param file: what the sink writes to: its closed segments are read before it; or the folder
        in which each stream has a file of its name; or the template that named the files.
    :param only: the one stream that will be asked about, if it is one.
    """

    def __init__(self, file: Path, only: str | None = None) -> None:
        self._file = file
        self._template = _template(file)
        self._maps = StreamMaps(self._template.base if self._template else file, only)

    @property
    def are_many(self) -> bool:
        """Whether files of several streams are known by their names."""
        return self._template is not None or self._file.is_dir()

    def knows(self, stream: str) -> bool:
        """Whether a journal says that *stream* is there."""
        return self._maps.find(stream) is not None

    def open(self, stream: str) -> StreamReader:
        """Return a reader of *stream*.

        :raises StorageError: when there is no such stream.
        """
        known = self._maps.find(stream)
        if known is not None:
            return StreamReader([], known)
        if self._template is not None:
            return StreamReader(_named_by(self._template, stream))
        path = self._file / encode_path(stream) if self._file.is_dir() else self._file
        try:
            with closing(Folder(path.parent)) as folder:
                names = [one.name for one in list_segments(folder, path.name)]
        except OSError as error:
            raise StorageError(f"{path} cannot be read: {error.strerror}") from None
        files = [path.parent / name for name in names] + ([path] if path.exists() else [])
        if not files:
            cure = ", nor is there a journal: name the template" if self._file.is_dir() else ""
            raise StorageError(f"{path} does not exist, and has no closed segments{cure}")
        return StreamReader(files)


def _template(file: Path) -> Template | None:
    """Return the template that *file* is, if it is one."""
    if "{" in str(file) and not file.exists():
        with suppress(ValueError):
            template = Template(str(file))
            return template if template.fields else None
    return None


def _named_by(template: Template, stream: str) -> list[Path]:
    """Return the files of *stream*.

    :raises StorageError: when there are none, or nobody knows their order.
    """
    if unknown := unordered(template):
        names = " and ".join(f"{{{one}}}" for one in sorted(unknown))
        raise StorageError(f"only the journal, which is not there, tells the order of {names}")
    try:
        with closing(Folder(template.base)) as folder:
            found = files_of(folder, template, stream)
    except OSError as error:
        raise StorageError(f"{template.base} cannot be read: {error.strerror}") from None
    if not found:
        raise StorageError(f"{template.text} has named no file of it")
    return [template.base / one for one in found]


def open_stream(file: Path, stream: str) -> StreamReader:
    """Return a reader of one stream; see :class:`StoredStreams`."""
    return StoredStreams(file, stream).open(stream)
