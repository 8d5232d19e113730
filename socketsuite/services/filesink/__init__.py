"""The file sink: bytes that senders leave, in files; module ``sink`` has the service."""
