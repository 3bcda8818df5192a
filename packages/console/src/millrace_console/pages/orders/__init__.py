"""Orders: open and past ones, and the whole story of one."""

from pathlib import Path

from nicegui import ui

from millrace_console.pages.orders import listing, story
from millrace_console.visit import Visit

STYLE = (Path(__file__).parent / "orders.css").read_text()


async def show(visit: Visit) -> None:
    """Build the list, or the story of the order or request that the address names."""
    ui.add_css(STYLE)
    if visit.place.get("order") or visit.place.get("request"):
        story.show(visit)
    else:
        await listing.show(visit)
