"""The file sink: bytes that senders leave, in files; see :mod:`~socketsuite.services.filesink.sink`."""
