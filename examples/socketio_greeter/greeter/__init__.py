"""A greeting, both ways, by Socket.IO."""
