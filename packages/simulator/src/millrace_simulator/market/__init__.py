"""Background participants that make a believable market."""

from millrace_simulator.market.market import Market, run

__all__ = ["Market", "run"]
