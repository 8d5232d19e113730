"""Listening sockets: bound, inherited, with their TLS certificates and UDP options.

Must not know of factories, protocols or connections.
"""
