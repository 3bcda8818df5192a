"""Resolves requests with an unknown outcome: asks the exchange, and never sends them again."""
