"""The IRC frontend of the chat: a translator between IRC and the hub.

Tables say what there is: ``numerics``, ``capabilities``, and a table of commands in each
``commands_*`` module.  It must not know how people at other frontends are connected.
"""
