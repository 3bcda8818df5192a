"""Batches into the database, through its outages and around what it refuses."""
