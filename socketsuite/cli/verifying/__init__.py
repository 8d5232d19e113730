"""``socketsuite verify``: does a file still hold what was acknowledged?

This room must not know of the command line.
"""
