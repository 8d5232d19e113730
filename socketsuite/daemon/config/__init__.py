"""Configuration: command line, environment and TOML files, resolved into one service's settings.

Must not open sockets, nor start anything.
"""
