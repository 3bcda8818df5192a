"""From messages to rows: batches, their commit, and its maintenance."""
