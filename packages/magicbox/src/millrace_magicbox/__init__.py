"""Runs strategies: streams in, requests to trade out."""

from millrace_magicbox.agent import MagicboxAgent

__all__ = ["MagicboxAgent"]
