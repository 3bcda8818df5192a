"""Decodes journal entries into typed messages."""
