"""Publishing: one writer a stream, whose messages survive outages of Redis."""
