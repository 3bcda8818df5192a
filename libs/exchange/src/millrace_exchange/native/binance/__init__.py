"""Binance spot: its market streams.

Source: Binance's spot API documentation, web-socket-streams.md.
"""
