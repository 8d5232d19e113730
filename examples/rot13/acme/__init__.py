"""A company that has a protocol of its own."""
