"""Agents' configurations, heartbeats, plugins and restarts."""
