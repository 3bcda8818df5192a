"""Strategies: what runs, what it does and earns, and what is set of it."""

from pathlib import Path

from nicegui import ui

from millrace_console.pages.strategies.page import StrategiesPage
from millrace_console.visit import Visit

STYLE = (Path(__file__).parent / "strategies.css").read_text()


async def show(visit: Visit) -> None:
    """Build the page."""
    ui.add_css(STYLE)
    StrategiesPage(visit)
