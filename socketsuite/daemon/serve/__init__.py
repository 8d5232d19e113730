"""One service's life: its listeners, its connections, its reload and its drain.

Must not know of the process around it, nor of signals.
"""
