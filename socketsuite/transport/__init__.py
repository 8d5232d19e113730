"""Bytes in and out of sockets: the transports that accepted connections get.

A transport counts its bytes, keeps its unsent queue bounded, answers a caller that has
closed its half, and tells one watcher when it opens and closes.  It knows nothing of
settings, events or any protocol.
"""
