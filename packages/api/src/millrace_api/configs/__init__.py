"""Agents' configurations: ownership, masked secrets, differences. All but `editor` is pure."""
