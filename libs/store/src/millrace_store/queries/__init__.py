"""Queries: pages of history, order books of the past, candles."""
