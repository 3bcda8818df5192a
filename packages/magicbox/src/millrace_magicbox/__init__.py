"""Streams to strategies to requests to trade."""

from millrace_magicbox.agent import MagicboxAgent

__all__ = ["MagicboxAgent"]
