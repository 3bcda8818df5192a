"""Portfolio: what there is, what it is worth, and what was earned, together or side by side."""

from millrace_console.pages.portfolio.page import PortfolioPage
from millrace_console.visit import Visit


async def show(visit: Visit) -> None:
    """Build the page."""
    PortfolioPage(visit)
