"""Writes what becomes of a request: its intent in the ledger, its order, its answer."""
