"""Requests to the exchange, and its answers."""
