"""Files that hold what was received: names, segments, the journal, the disk's threads.

This room must not know of connections, protocols or the reactor.
"""
