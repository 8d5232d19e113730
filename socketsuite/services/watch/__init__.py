"""Watch: tells every subscriber when a file changes.

Events of the file system (:mod:`.source`, :mod:`.inotify_source`) go through a pure
machine that decides what is one change (:mod:`.changes`), driven by a clock
(:mod:`.watcher`), to the subscribers (:mod:`.subscribers`, where the wire is documented).
"""

from socketsuite.services.watch.subscribers import WatchFactory

__all__ = ["WatchFactory"]
