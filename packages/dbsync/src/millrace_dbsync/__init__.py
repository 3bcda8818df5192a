"""Journals to the database, exactly once."""
