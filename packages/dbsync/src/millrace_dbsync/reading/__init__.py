"""Reads journals: new entries, losses, and the lag of the database."""
