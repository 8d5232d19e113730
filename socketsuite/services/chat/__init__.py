"""Chat: a room, and the frontends by which people come in.

The room must not know the frontends; a frontend knows the room and its own wire protocol.
"""
