"""Binance's market streams, `/ws…` and `/stream…`."""
