"""Puts a factory on the air: sockets, TLS, admission, drain, signals.

The rooms inwards of this one (services, framing) know nothing of it.
"""
