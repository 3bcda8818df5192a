"""Strategies: what runs, what it does and earns, and what is set of it."""

from millrace_console.visit import Visit


async def show(visit: Visit) -> None:
    """Build the page."""
