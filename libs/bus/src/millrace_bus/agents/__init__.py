"""Agents' configurations and heartbeats."""
