"""The protocols themselves: ordinary Twisted protocols and factories, one noun per file.

Nothing in this room may know of ports, TLS, limits, log set-up or signals: the daemon
around a service sees to those.
"""
