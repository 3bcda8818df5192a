"""Orders: open and past ones, and the whole history of one."""

from pathlib import Path

from nicegui import ui

from millrace_console.pages.orders import listing, order_history
from millrace_console.visit import Visit

STYLE = (Path(__file__).parent / "orders.css").read_text()


async def show(visit: Visit) -> None:
    """Build the list, or the history of the order or request that the address names."""
    ui.add_css(STYLE)
    if visit.place.get("order") or visit.place.get("request"):
        order_history.show(visit)
    else:
        await listing.show(visit)
