"""The console's pages. Each module has a `show` that builds one page for one visit."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from millrace_console.pages import (
    configuration,
    failures,
    latency,
    market,
    orders,
    overview,
    portfolio,
    strategies,
    tenants,
)
from millrace_console.shell import Link
from millrace_console.visit import Visit


class Page(NamedTuple):
    """A page: its place in the navigation, and how it is built."""

    link: Link
    show: Callable[[Visit], Awaitable[None]]


PAGES: tuple[Page, ...] = (
    Page(Link("/", "Overview", "home", "o"), overview.show),
    Page(Link("/market", "Market", "candlestick_chart", "m"), market.show),
    Page(Link("/orders", "Orders", "receipt_long", "r"), orders.show),
    Page(Link("/portfolio", "Portfolio", "account_balance", "p"), portfolio.show),
    Page(Link("/strategies", "Strategies", "smart_toy", "s"), strategies.show),
    Page(Link("/configuration", "Configuration", "tune", "c"), configuration.show),
    Page(Link("/latency", "Latency", "timer", "l"), latency.show),
    Page(Link("/failures", "Failures", "report", "f"), failures.show),
    Page(Link("/tenants", "Tenants", "groups", "t", operator_only=True), tenants.show),
)
"""In the order of the navigation."""
