"""Bytes to frames and back: pure machines, bytes in, frames out.

Nothing in this room may know of Twisted, of sockets or of any I/O.
"""
