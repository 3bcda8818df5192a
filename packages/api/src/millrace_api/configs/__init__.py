"""Agents' configurations: whose they are, what of them may be shown, and how two of them differ. Pure."""
