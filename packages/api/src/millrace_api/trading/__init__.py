"""Requests to trade on the bus: sent once for each idempotency key, their responses awaited."""
