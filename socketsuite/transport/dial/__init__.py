"""Dialling out: a client connection by host and port, Unix socket, or TLS with verification.

Must not know of the command line, nor what is said over a connection.
"""
