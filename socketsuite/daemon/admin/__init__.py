"""What an operator looks through: the admin socket, the metrics page, and the report both read.

Must not know how a service is served.
"""
