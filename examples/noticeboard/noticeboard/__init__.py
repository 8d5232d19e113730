"""A board of notices: pinned by line, read by line or with a browser."""
