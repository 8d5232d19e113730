"""Chat: a room, and the doors by which people come in.

The room must not know the doors; a door knows the room and its own wire protocol.
"""
