"""How numbers, times, states and tables look, the same on every page."""
