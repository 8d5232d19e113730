"""The web frontend of the chat: a page, WebSocket and Socket.IO, in one HTTP server."""
