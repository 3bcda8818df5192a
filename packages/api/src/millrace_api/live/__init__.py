"""Live streams over WebSocket: each stream is followed once, and each message encoded once for all clients."""
