"""Order book and matching engine: pure."""
