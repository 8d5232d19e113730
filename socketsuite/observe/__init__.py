"""What happened, for those who want to know: events, and who subscribes to them.

Nothing in this room changes what the daemon does; it only tells.
"""
