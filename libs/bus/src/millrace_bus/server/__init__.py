"""The embedded Redis server."""
