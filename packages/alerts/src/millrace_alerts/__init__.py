"""Sends what needs a person by any messenger."""
