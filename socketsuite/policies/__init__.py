"""Who may connect, how many, how fast, how long.

A policy decides about connections and never touches their bytes; one that is off costs
nothing.
"""
