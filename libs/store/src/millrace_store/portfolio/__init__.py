"""Positions and profit from a tenant's own trades, and the value of its accounts over time."""
