"""Live streams over WebSocket: each stream is followed once, and each of its messages encoded once for all clients."""
