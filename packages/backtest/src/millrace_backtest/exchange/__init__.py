"""A model of exchanges: strategies' orders meet the recorded market, by the rules of `millrace_matching`."""
