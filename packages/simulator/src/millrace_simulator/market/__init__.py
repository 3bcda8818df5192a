"""Background participants that make a believable market.

`Market` is pure: it moves in steps of time, driven by its caller. `run` steps it along the wall clock.
"""

from millrace_simulator.market.market import Market, run

__all__ = ["Market", "run"]
