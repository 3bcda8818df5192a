"""Recordings made of files that others offer: CSV of Tardis.dev and of Binance's public data."""
