"""Agents' configurations: who may see and change them, secrets masked, differences. All but `editor` is pure."""
