"""The process: put together, started, signalled, watched over, ended.

Must not know what a service does.
"""
