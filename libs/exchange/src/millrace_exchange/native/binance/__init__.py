"""Binance spot: its market streams, and the account's own over the WebSocket API.

Source: Binance's spot API documentation: web-socket-streams.md, user-data-stream.md, web-socket-api.md.
"""
