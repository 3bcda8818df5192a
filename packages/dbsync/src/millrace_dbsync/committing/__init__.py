"""Commits batches, through outages of the database and around messages that it refuses."""
