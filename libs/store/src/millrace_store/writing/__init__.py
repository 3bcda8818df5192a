"""Writes messages as rows: batches, their commit, and maintenance."""
