"""Entries of journals as typed messages."""
