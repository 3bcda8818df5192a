"""Peers: other ways to do the same, as simple as possible."""
