"""Publishing: one writer per stream, whose messages survive outages of Redis."""
