"""Database and live streams to REST and WebSocket."""
