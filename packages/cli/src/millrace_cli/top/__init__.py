"""`millrace top`: agents, streams, orders and latencies, live in the terminal."""
