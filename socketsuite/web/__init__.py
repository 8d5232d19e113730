"""HTTP and WebSocket for any Twisted program: a bounded site, and connections that are upgraded.

It must not know of the daemon, of its policies, nor of any service.
"""
