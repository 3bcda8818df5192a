"""Halts under load: how soon no order is accepted any more, and how soon the open ones are canceled."""
