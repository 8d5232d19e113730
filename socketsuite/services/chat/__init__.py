"""Chat: a hub of people and rooms, and the frontends by which people come in.

The hub must not know the frontends; a frontend knows the hub and its own wire.
"""
