"""``socketsuite send --ack``: files into streams whose bytes the server acknowledges.

This room must not know of the command line.
"""
